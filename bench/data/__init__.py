"""Tables: the registry, the sources they come from, and the splits they are judged on."""
