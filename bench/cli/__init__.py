"""The commands, one module each: ``add_arguments(parser)`` and ``run(args)``, which returns the exit code."""
