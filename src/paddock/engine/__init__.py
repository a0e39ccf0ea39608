"""Owns the engine: its flags, its process, its HTTP client and which model stays loaded; knows no client dialect."""
