"""What a page does behind the back of the person who looks at it: requests, and errors that only its console shows."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError

_IN_THE_BROWSER = ("data", "blob", "about")


@dataclass
class Watch:
    """Errors and requests of a test's pages. Those that the test did not state in advance make it fail.

    origins: "http://host:port" of each server that pages may use. problems: what was found, in words.
    """

    origins: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    _expected: list[str] = field(default_factory=list)

    def allow(self, *urls: str) -> None:
        """Permit requests to the origins of these URLs."""
        self.origins |= {_origin(url) for url in urls}

    def expect(self, pattern: str) -> None:
        """Permit problems in which this regular expression is found, and require at least one."""
        self._expected.append(pattern)

    def attach(self, context: BrowserContext) -> None:
        """Watch all pages of a context."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)

    def check(self) -> None:
        """Raise AssertionError for problems that were not expected, and for expected ones that did not occur."""
        unexpected = [each for each in self.problems if not any(re.search(one, each) for one in self._expected)]
        assert not unexpected, "\n".join(["the pages had problems:", *unexpected])
        absent = [one for one in self._expected if not any(re.search(one, each) for each in self.problems)]
        assert not absent, f"expected problems of the pages did not occur: {absent}"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.problems.append(f"error: {error.error}")

    def _request(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in _IN_THE_BROWSER and _origin(request.url) not in self.origins:
            self.problems.append(f"request outside of the server: {request.method} {request.url}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
