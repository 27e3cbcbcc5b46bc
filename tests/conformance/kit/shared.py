"""A client for what several tests of a module look at and none changes: made once, deleted after the last of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient


@contextmanager
def lasting_client(http: httpx.Client) -> Iterator[TamsClient]:
    """As the fixture `tams`, for a fixture of wider scope: cleans up when the block ends."""
    client = TamsClient(http, Checker(http.base_url.path))
    try:
        yield client
    finally:
        client.clean()
