"""The fixtures of the conformance kit, for what is this server's own choice rather than the standard's."""

from tests.conformance.conftest import http, subject, tams

__all__ = ["http", "subject", "tams"]
