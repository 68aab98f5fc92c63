"""The report's sections, one a phenomenon."""
