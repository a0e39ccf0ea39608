"""Owns how paddock logs; refuses to know what is logged."""

from __future__ import annotations

import logging


def set_up(level: str) -> None:
    """Log to stderr, one line a record. `level` is one of the names in the `log_level` setting."""
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def named(name: str) -> logging.Logger:
    """The logger of one module."""
    return logging.getLogger(name)
