"""The report over one or more runs: a self-contained HTML page and its Markdown twin. Never imports torch."""
