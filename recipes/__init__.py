"""Recipes: how what paddock ships was made."""
