"""Real identity providers on loopback."""
