"""Code of strangers, run where it can reach nothing: no files, no network, no processes, little memory and time."""
