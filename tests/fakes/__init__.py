"""Owns the fakes: real programs that stand in for what a test must control; holds no tests."""
