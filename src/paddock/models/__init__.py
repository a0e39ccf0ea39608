"""Owns which models exist: GGUF headers, the local catalogue, downloads; refuses to load or serve any of them."""
