"""Pure tests: no process, no socket, ten seconds in all."""
