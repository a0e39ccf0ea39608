"""Owns the measurements of paddock against the engine itself, on this machine and in one run; asserts nothing."""
