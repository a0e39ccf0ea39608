"""What the tests of a killed server are made of."""
