"""Owns one inference request, from checked body to last byte; does no wire translation and controls no process."""
