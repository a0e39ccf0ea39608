"""Rows to learn from: their forms, files of them, and which of their tokens train."""
