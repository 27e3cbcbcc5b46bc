"""The fixtures of the conformance kit, for tests of choices that the standard leaves to this server."""

from tests.conformance.conftest import event_timeout, events_arrive, hooks, http, receiver, subject, tams

__all__ = ["event_timeout", "events_arrive", "hooks", "http", "receiver", "subject", "tams"]
