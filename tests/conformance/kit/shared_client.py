"""A client for resources that several tests share and none changes, deleted after the last of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.conformance.kit.checker import Checker
from tests.conformance.kit.client import TamsClient


@contextmanager
def shared_client(http: httpx.Client) -> Iterator[TamsClient]:
    """A client like the fixture `tams`, for fixtures of wider scope. Cleans up when the block ends."""
    client = TamsClient(http, Checker(http.base_url.path))
    try:
        yield client
    finally:
        client.clean_up()
