"""The fixtures of the conformance kit, for what is this server's own choice rather than the standard's."""

from tests.conformance.conftest import event_timeout, events_arrive, hooks, http, receiver, subject, tams

__all__ = ["event_timeout", "events_arrive", "hooks", "http", "receiver", "subject", "tams"]
