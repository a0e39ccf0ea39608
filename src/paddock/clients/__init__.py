"""How each known client is pointed at a paddock, for the command line and the page alike."""
