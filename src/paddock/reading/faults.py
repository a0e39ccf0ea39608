"""Owns why a file cannot be read, in words; refuses to know who asked."""

from __future__ import annotations


class Unreadable(Exception):
    """This file cannot be read; the sentence says why, and what helps."""
