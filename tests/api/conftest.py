"""The fixtures of the conformance kit, for what is this server's own choice rather than the standard's."""

from tests.conformance.conftest import hooks, http, patience, reached, receiver, subject, tams

__all__ = ["hooks", "http", "patience", "reached", "receiver", "subject", "tams"]
