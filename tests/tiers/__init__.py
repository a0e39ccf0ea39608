"""Tiers that need more than a checkout: another system, or much time."""
