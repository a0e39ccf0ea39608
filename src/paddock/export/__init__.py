"""Export: what was trained becomes files that engines load, each with a certificate of what it says."""
