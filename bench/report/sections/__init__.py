"""The report's sections, one module each: a function of the evidence that gives a section, or None if it has no say."""
