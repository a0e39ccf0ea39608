"""Owns the server's own tools: what each is, what it may do, and carrying a call of it out."""
