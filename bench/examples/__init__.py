"""Methods in plug-in form: optional extras of the package, and examples to copy (docs/add-a-method.md)."""
