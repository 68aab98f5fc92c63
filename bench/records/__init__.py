"""The nouns that every other package may import: datasets and splits, methods and sessions, jobs and results."""
