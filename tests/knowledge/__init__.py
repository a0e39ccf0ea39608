"""The labelled set by which searches are judged, and reading it."""
