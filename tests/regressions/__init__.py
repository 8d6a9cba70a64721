"""Input files that once ended in a trace, a hang or too much memory: the least of each that does it."""
