"""paddock: a local studio for language models."""

__version__ = "0.1.0"
