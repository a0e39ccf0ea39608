"""Choosing, fetching, checking, activating and rolling back: builds of llama.cpp, paddock, its training stack."""
