"""The kit put to the test: a server with deliberate faults, each of which the kit must find."""
