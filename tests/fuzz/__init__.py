"""Requests by the ten thousand that nobody would send on purpose."""
