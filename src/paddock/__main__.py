"""Owns `python -m paddock`; refuses to know any command."""

from __future__ import annotations

from paddock.cli import main

if __name__ == "__main__":
    main()
