"""The data home in one file, and back again. Imported by the command line alone, and only where it is needed."""
