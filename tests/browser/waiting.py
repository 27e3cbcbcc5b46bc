"""Waiting for what a page does later. Its events arrive only while Playwright is called, so tests cannot sleep."""

import time
from collections.abc import Callable

from playwright.sync_api import Page

_PAUSE_MS = 20


def wait_until(condition: Callable[[], bool], page: Page, timeout_s: float = 15) -> None:
    """Return as soon as the condition holds. Raises AssertionError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"did not hold within {timeout_s} s"
        page.wait_for_timeout(_PAUSE_MS)
