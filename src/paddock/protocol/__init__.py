"""Owns the shapes of the dialects and the conversions between them. Pure: no sockets, no clock, no framework."""
