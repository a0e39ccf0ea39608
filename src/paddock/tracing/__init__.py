"""Traces: spans of what requests wait for, and their way to a collector."""
