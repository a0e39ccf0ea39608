"""Owns what is in files that others made: chats of other programs, documents; each is read in a process of its own."""
