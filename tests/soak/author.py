"""Clients that change a store continuously, and keep books of what was acknowledged.

Each author makes one change after another to its own flow and webhooks. An acknowledged change has happened, a rejected
one has not. If the response was lost, the author either sends the request again or asks the store what happened. So it
knows the whole state of its flow, and the complete, ordered events of each flow and each source.
"""

import random
import threading
import time

import httpx

from tests.conformance.kit.documents import Json
from tests.soak import changes
from tests.soak.books import Books, Segment, content
from tests.soak.changes import Change
from tests.soak.checking import check_store
from tests.soak.findings import Findings
from tests.soak.reading import RECOVERY_S, media_client, patiently

_SETTLE_S = 0.5
"""Time for a database to complete a commit whose client has been killed, before its effect is looked for."""


class Author(threading.Thread):
    """A client that changes the store at random.

    http: a client of its own. second_backend: id of a storage backend to copy objects to; "" for none.
    urls_may_expire: an upload may be rejected because its URL has expired; its object is then given up.
    findings: differences between the books and the store, and unexpected responses.
    """

    def __init__(
        self, http: httpx.Client, pause_s: float, second_backend: str = "", *, urls_may_expire: bool = False
    ) -> None:
        super().__init__(name="author", daemon=True)
        self.books = Books()
        self.findings = Findings()
        self._http = http
        self._pause_s = pause_s
        self._second_backend = second_backend
        self._urls_may_expire = urls_may_expire
        self._stopping = threading.Event()
        self._check_due = threading.Event()

    def request_check(self) -> None:
        """Have the store compared with the books after the change in progress."""
        self._check_due.set()

    @property
    def has_checked(self) -> bool:
        """Whether the check that was requested last is complete."""
        return not self._check_due.is_set() or not self.is_alive()

    def stop(self) -> None:
        """Complete the change in progress and stop."""
        self._stopping.set()
        self.join(2 * RECOVERY_S)
        if self.is_alive():
            self.findings.wrong.append("an author did not stop")

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._once()
                if self._check_due.is_set():
                    self.findings.add(check_store(self._http, self.books, thorough=False))
                    self._check_due.clear()
                self._stopping.wait(random.uniform(0, self._pause_s))
        except Exception as error:
            self.findings.wrong.append(f"an author failed: {error!r}")

    def check_everything(self) -> None:
        """Compare the store with the books thoroughly. Call it after `stop`."""
        self.findings.add(check_store(self._http, self.books, thorough=True))

    def delete_everything(self) -> None:
        """Delete the flow and the webhooks. Call it after `stop`."""
        if self.books.flow.exists:
            self._perform(changes.delete_flow(self.books))
        while self.books.webhooks and not self.findings:
            self._perform(changes.delete_webhook(self.books))

    def _once(self) -> None:
        chance = random.random()
        if not self.books.flow.exists or chance < 0.6:
            self._perform(changes.choose(self.books))
        elif chance < 0.75:
            self._send_invalid_request()
        else:
            self._store_segments()

    def _perform(self, change: Change) -> bool:
        """Send a change until it is known whether it took place, and enter it in the books if it did."""
        response = self._send(change.method, change.path, change.body)
        if response is None:
            took_place = self._repeat(change) if change.repeatable and random.random() < 0.5 else self._find_out(change)
        else:
            took_place = response.is_success
            self.books.acknowledged += took_place
            if not took_place and not self._is_unavailable(response):
                self._unexpected(change.method, change.path, response)
        if took_place:
            for subject, event in change.events:
                self.books.history[subject].append(event)
            change.apply(response, self._http) if response is not None else patiently(
                lambda: change.apply(None, self._http)
            )
        return took_place

    def _find_out(self, change: Change) -> bool:
        """Wait for the server, and return whether a change that got no response took place."""
        patiently(lambda: self._http.get("/service").raise_for_status())
        time.sleep(_SETTLE_S)
        return patiently(lambda: change.took_place(self._http))

    def _repeat(self, change: Change) -> bool:
        """Send a change again that got no response. It takes place now, or is rejected because it already has."""
        while (response := self._send(change.method, change.path, change.body)) is None or self._is_unavailable(
            response
        ):
            time.sleep(0.05)
        self.books.repeated += 1
        if response.is_success:
            self.books.acknowledged += 1
            return True
        if response.status_code != 400:
            self._unexpected(change.method, change.path, response)
        elif not change.path.endswith("/instances") and not patiently(lambda: change.took_place(self._http)):
            self.findings.lost.append(
                f"{change.method} {change.path} was rejected when repeated: {response.text[:300]}"
            )
        return not change.path.endswith("/instances")

    def _store_segments(self) -> None:
        """Allocate an object, upload its bytes, register it, and perhaps copy it to the second storage backend."""
        now = self.books.flow
        response = self._send("POST", f"{now.path}/storage", {"limit": 1})
        if response is None or self._is_unavailable(response):
            return
        if response.status_code != 201:
            self._unexpected("POST", f"{now.path}/storage", response)
            return
        item = response.json()["media_objects"][0]
        if not self._upload(item):
            return
        segment = Segment(item["object_id"], stored=True)
        if self._perform(changes.registration(now, [segment])) and self._second_backend and random.random() < 0.5:
            self._perform(changes.copy(now, segment.object_id, self._second_backend))

    def _upload(self, item: Json) -> bool:
        """Upload the bytes of an object until that is acknowledged. Returns False if its URL has expired."""
        url, headers = item["put_url"]["url"], {"Content-Type": item["put_url"]["content-type"]}

        def put() -> httpx.Response:
            response = media_client().put(url, content=content(item["object_id"]), headers=headers)
            expired = response.status_code == 403 and self._urls_may_expire
            return response if expired else response.raise_for_status()

        is_uploaded = patiently(put).is_success
        self.books.uploaded += is_uploaded
        return is_uploaded

    def _send_invalid_request(self) -> None:
        """Send a request that must be rejected. If no response arrives, it must not have taken place either."""
        method, path, body = changes.invalid(self.books.flow)
        response = self._send(method, path, body)
        if response is None or self._is_unavailable(response):
            return
        self.books.rejected += 1
        if response.status_code != 400:
            self._unexpected(method, path, response)

    def _send(self, method: str, path: str, body: object) -> httpx.Response | None:
        """Return the response, or None if there is none."""
        try:
            return self._http.request(method, path, json=body)
        except httpx.TransportError:
            self.books.unanswered += 1
            return None

    def _is_unavailable(self, response: httpx.Response) -> bool:
        if response.status_code == 503 and "Retry-After" in response.headers:
            self.books.unavailable += 1
            return True
        return False

    def _unexpected(self, method: str, path: str, response: httpx.Response) -> None:
        self.findings.wrong.append(f"{method} {path}: {response.status_code} {response.text[:300]}")
