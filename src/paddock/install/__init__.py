"""Choosing, fetching, checking, activating and rolling back builds of llama.cpp."""
