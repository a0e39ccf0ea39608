"""Owns the journeys: the real engine and a real small model behind paddock, from a user's program to its last byte."""
