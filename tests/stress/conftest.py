"""The server under test."""

from tests.conformance.conftest import subject

__all__ = ["subject"]
