"""Statistics of a results table. Knows the columns of ``scores.csv`` and nothing of methods, files or pages."""
