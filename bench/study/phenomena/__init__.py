"""Four phenomena of deep learning in RFM and in networks, on pictures: cells, computations, findings."""
