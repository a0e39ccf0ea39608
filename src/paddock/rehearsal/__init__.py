"""The requests that known clients send, and the rules that their answers must keep."""
