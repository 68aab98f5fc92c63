"""Sections and claims of the report, a module a question."""
