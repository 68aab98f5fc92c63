"""Statistics of a results table. Knows the columns of ``scores.csv`` and nothing of methods or pages; of files
those of published results alone (:mod:`~bench.stats.published`, :mod:`~bench.stats.grinsztajn`)."""
