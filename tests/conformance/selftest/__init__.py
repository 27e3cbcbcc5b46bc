"""Self-test of the kit: a server with deliberate faults, each of which the kit must detect."""
