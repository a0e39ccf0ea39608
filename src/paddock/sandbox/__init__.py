"""Code of strangers within walls: rewards that reach nothing, and workspaces with files for code of models."""
