"""Owns the recipe of pocket, the model that comes with paddock: data, vocabulary, weights, scoring."""
