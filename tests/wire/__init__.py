"""Owns the wire tests: paddock on a real port between a real client and the scripted engine."""
