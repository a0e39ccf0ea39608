"""Tests with the programs and libraries that people use, as their makers ship them."""
