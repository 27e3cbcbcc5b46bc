"""Sends random cases to one server, and holds every answer against the document."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import requests
from schemathesis.core.transport import Response
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.specs.openapi.checks import ignored_auth

from tests.conformance.kit.server import Subject
from tests.fuzz.aim import aim
from tests.fuzz.fuzzed import EXAMPLES
from tests.fuzz.world import World

SETTINGS = {
    "TAMS_WORKERS": "1",
    "TAMS_LOG_LEVEL": "WARNING",
    "TAMS_ASYNC_DELETION_THRESHOLD": "5",  # so that small flows leave delete requests
    "TAMS_STORAGE_LIMIT_MAX": "20",
    "TAMS_WEBHOOK_TIMEOUT": "2",
    "TAMS_WEBHOOK_GIVE_UP": "1",  # so that webhooks whose receiver is away soon show their error
}
"""Of a server to be fuzzed."""

TIMEOUT_S = 60 + 10 * EXAMPLES
"""Of one operation."""

_REQUEST_TIMEOUT_S = 30

Tally = dict[str, Counter[int]]
"""How many answers of each status, by operation."""


class Fuzzer:
    """tally: of what was sent through this one. failed: whether the last answer was a wrong one."""

    def __init__(self, subject: Subject, world: World, session: requests.Session) -> None:
        self.world = world
        self.tally: Tally = defaultdict(Counter)
        self.failed = False
        self._url = subject.url
        self._headers = {"Authorization": f"Bearer {subject.token}"}
        self._session = session
        self._guarded: set[str] = set()

    def try_case(self, case: Case) -> None:
        """Send the case, aimed at what exists; fails where the answer is not what the document says."""
        aim(case, self.world)
        self.judge(case, self.send(case))

    def never_done(self) -> list[str]:
        """Operations that were tried and never done: no case got past the refusals."""
        return [label for label, counts in self.tally.items() if min(counts) >= 300]

    def send(self, case: Case) -> Response:
        response = case.call(self._url, self._session, self._headers, timeout=_REQUEST_TIMEOUT_S)
        self.tally[case.operation.label][response.status_code] += 1
        if response.status_code == 201 and case.operation.label == "POST /service/webhooks":
            self.world.passing_webhooks.append(response.json()["id"])
        return response

    def judge(self, case: Case, response: Response, recorder: ScenarioRecorder | None = None) -> None:
        """Fails where the answer is not what the document says, or what came before it (the recorder) made true.

        What a lone case destroyed is mended then.
        """
        label = case.operation.label
        self.failed = True
        case.validate_response(
            response,
            # It sends every case three times more; that an operation is guarded needs to be seen once.
            excluded_checks=[ignored_auth] if label in self._guarded else [],
            headers=self._headers,
            transport_kwargs={"session": self._session},
            recorder=recorder,
        )
        self.failed = False
        if response.status_code < 300:
            self._guarded.add(label)
            if recorder is None and case.method not in ("GET", "HEAD"):
                self.world.mend(case.path, case.path_parameters)


@contextmanager
def fuzzer(subject: Subject, name: str, receiver_url: str) -> Iterator[Fuzzer]:
    """A fuzzer in a world of its own on the server. receiver_url: where its webhooks lead."""
    headers = {"Authorization": f"Bearer {subject.token}"}
    with (
        httpx.Client(base_url=subject.url, headers=headers, timeout=_REQUEST_TIMEOUT_S) as client,
        requests.Session() as session,
    ):
        session.trust_env = False  # looking for proxies takes longer than the request
        world = World(client, name, receiver_url)
        try:
            yield Fuzzer(subject, world, session)
        finally:
            world.silence()
