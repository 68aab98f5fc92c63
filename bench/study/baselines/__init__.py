"""What lin-RFM is compared with: other ways to complete matrices and to regress sparsely, tuned on held-out entries."""
