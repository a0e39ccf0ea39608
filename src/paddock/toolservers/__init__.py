"""Owns servers of tools that speak MCP: which there are, their processes and connections, what they say."""
