"""Owns collections of documents: taking them in, finding passages in them by words and by meaning."""
