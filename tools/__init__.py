"""Owns what makes parts of paddock, and is no part of it."""
