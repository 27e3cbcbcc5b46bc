"""Sends random cases to a server, and validates every response against the document."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import requests
from schemathesis.core.transport import Response
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import ignored_auth

from tests.conformance.kit.server import Subject
from tests.fuzz.fuzzed_schema import EXAMPLES
from tests.fuzz.resources import Resources
from tests.fuzz.targeting import target_existing_resources

SETTINGS = {
    "TAMS_WORKERS": "1",
    "TAMS_LOG_LEVEL": "WARNING",
    "TAMS_ASYNC_DELETION_THRESHOLD": "5",  # so that deleting small flows makes delete requests
    "TAMS_STORAGE_LIMIT_MAX": "20",
    "TAMS_WEBHOOK_TIMEOUT": "2",
    "TAMS_WEBHOOK_GIVE_UP": "1",  # so that webhooks without a receiver soon show an error
}
"""Settings of a server to fuzz."""

TIMEOUT_S = 60 + 10 * EXAMPLES
"""Timeout of the cases of one operation, in seconds."""

_REQUEST_TIMEOUT_S = 30

Tally = dict[str, Counter[int]]
"""The number of responses by status, by operation."""


class Fuzzer:
    """Sends cases and checks the responses. tally: of all cases sent. failed: whether the last response was wrong."""

    def __init__(self, subject: Subject, resources: Resources, session: requests.Session) -> None:
        self.resources = resources
        self.tally: Tally = defaultdict(Counter)
        self.failed = False
        self._url = subject.url
        self._headers = {"Authorization": f"Bearer {subject.token}"}
        self._session = session
        self._auth_checked: set[str] = set()

    def send_and_check(self, case: Case[Any]) -> None:
        """Send the case, pointed at existing resources. Fails if the response does not match the document."""
        target_existing_resources(case, self.resources)
        self.check(case, self.send(case))

    def never_succeeded(self) -> list[str]:
        """Operations of which no case succeeded.

        But for pictures: these need media that can be decoded, and have tests of their own (tests/thumbnails).
        """
        return [
            label for label, counts in self.tally.items() if min(counts) >= 300 and not label.endswith("/thumbnail.jpg")
        ]

    def send(self, case: Case[Any]) -> Response:
        """Send the case, and count the status of the response."""
        response = case.call(self._url, self._session, self._headers, timeout=_REQUEST_TIMEOUT_S)
        self.tally[case.operation.label][response.status_code] += 1
        if response.status_code == 201 and case.operation.label == "POST /service/webhooks":
            self.resources.extra_webhooks.append(response.json()["id"])
        return response

    def check(self, case: Case[Any], response: Response, recorder: ScenarioRecorder | None = None) -> None:
        """Fail if the response does not match the document, or contradicts earlier responses in the recorder.

        After a single case (no recorder), repair what it destroyed.
        """
        label = case.operation.label
        self.failed = True
        case.validate_response(
            response,
            # ignored_auth sends every case three more times; one such check for each operation is enough.
            excluded_checks=[ignored_auth] if label in self._auth_checked else [],
            headers=self._headers,
            transport_kwargs={"session": self._session},
            recorder=recorder,
        )
        self.failed = False
        if response.status_code < 300:
            self._auth_checked.add(label)
            if recorder is None and case.method not in ("GET", "HEAD"):
                self.resources.repair(case.path, case.path_parameters)


@contextmanager
def fuzzer(subject: Subject, name: str, receiver_url: str) -> Iterator[Fuzzer]:
    """A fuzzer with its own resources on the server. name: of these resources. receiver_url: of its webhooks."""
    headers = {"Authorization": f"Bearer {subject.token}"}
    with (
        httpx.Client(base_url=subject.url, headers=headers, timeout=_REQUEST_TIMEOUT_S) as client,
        requests.Session() as session,
    ):
        session.trust_env = False  # looking up proxies takes longer than the request
        resources = Resources(client, name, receiver_url)
        try:
            yield Fuzzer(subject, resources, session)
        finally:
            resources.delete_webhooks()
