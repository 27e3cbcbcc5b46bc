"""Events received by a webhook that is registered for the time, for servers that reach this machine."""

import ipaddress
import json
import queue
import secrets
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

from tams_server.client import Client, ClientError, NotFound, calls
from tams_server.client.errors import shown_url
from tams_server.client.models import NewWebhook
from tams_server.client_cli.errors import CommandError

EventType = Literal[
    "flows/created",
    "flows/updated",
    "flows/deleted",
    "flows/segments_added",
    "flows/segments_deleted",
    "sources/created",
    "sources/updated",
    "sources/deleted",
]
_HEADER = "x-tams-watch-key"
_TAG = "tams_watch"
_MAX_BODY = 16 * 1024 * 1024
_WAITING = 10_000
"""Events that wait to be printed; the server is asked to send others again."""
_CHECK_S = 15.0
"""Between two looks whether the server has given the webhook up."""
_STALLED_S = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events. flow_ids or source_ids: only of these; at most one of them is given."""

    events: tuple[EventType, ...]
    flow_ids: tuple[str, ...] = ()
    source_ids: tuple[str, ...] = ()


def is_local(url: str) -> bool:
    """Whether a server is on this machine, so that it surely reaches it."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class EventReceiver:
    """Receives events during its block. url: at which the server reaches this machine, "" for 127.0.0.1.

    listen: HOST:PORT, "" for all addresses and the port of the URL. Entering raises ApiError if the server does not
    accept the webhook, OSError if the address cannot be used, and CommandError if it makes no sense.
    """

    def __init__(self, client: Client, wanted: Wanted, url: str = "", listen: str = "") -> None:
        self._client = client
        self._wanted = wanted
        self._key = secrets.token_urlsafe(32)
        self._events: queue.Queue[dict[str, Any]] = queue.Queue(_WAITING)
        self._server = ThreadingHTTPServer(_address(url, listen), self._handler())
        self._server.daemon_threads = True
        self.url = url or f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._webhook_id = ""

    def __enter__(self) -> "EventReceiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        try:
            self._remove_stalled()
            self._webhook_id = self._client.send(calls.create_webhook(self._document()))["id"]
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with suppress(ClientError):  # it may be gone, and so may the server
                self._client.send(calls.delete_webhook(self._webhook_id))
        finally:
            self._close()

    def events(self) -> Iterator[dict[str, Any]]:
        """The events as they arrive, without end. Raises CommandError if the server gives the webhook up."""
        while True:
            try:
                yield self._events.get(timeout=_CHECK_S)
            except queue.Empty:
                self._check()

    def _check(self) -> None:
        try:
            webhook = self._client.send(calls.webhook(self._webhook_id))
        except NotFound as error:
            raise CommandError("the webhook that this command registered was deleted") from error
        if webhook.get("status") == "error":
            reason = webhook["error"]["summary"] if "error" in webhook else "no reason is given"
            raise CommandError(
                f"the server cannot send events to {shown_url(self.url)}: {reason}. Try tams watch --poll"
            )

    def _document(self) -> NewWebhook:
        document: NewWebhook = {
            "url": self.url,
            "events": list(self._wanted.events),
            "api_key_name": _HEADER,
            "api_key_value": self._key,
            "tags": {_TAG: "temporary"},
        }
        if self._wanted.flow_ids:
            document["flow_ids"] = list(self._wanted.flow_ids)
        if self._wanted.source_ids:
            document["source_ids"] = list(self._wanted.source_ids)
        return document

    def _remove_stalled(self) -> None:
        """Delete webhooks of killed commands, which their server has given up."""
        for webhook in self._client.iterate(calls.webhooks(**{f"tag_exists.{_TAG}": "true"})):
            if webhook.get("status") == "error" and _TAG in (webhook.get("tags") or {}):
                with suppress(ClientError):
                    self._client.send(calls.delete_webhook(webhook["id"]))

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, headers: Any, body: bytes) -> int:
        """Queue the event of a request, and return the status for the response."""
        if not secrets.compare_digest(str(headers.get(_HEADER, "")).encode(), self._key.encode()):
            return 401
        try:
            event = json.loads(body)
            self._events.put_nowait({name: event[name] for name in ("event_timestamp", "event_type", "event")})
        except (ValueError, KeyError, TypeError):
            return 400
        except queue.Full:
            return 503
        return 200

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            timeout = _STALLED_S

            def do_POST(self) -> None:
                length = self.headers.get("content-length", "")
                fits = length.isdecimal() and int(length) <= _MAX_BODY
                status = take(self.headers, self.rfile.read(int(length))) if fits else 413
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing: events are the output."""

        return Handler


def _address(url: str, listen: str) -> tuple[str, int]:
    """Where to listen. Raises CommandError."""
    if not url:
        return "127.0.0.1", 0
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(f"--webhook must be a URL with http:// or https://, not {shown_url(url)!r}", 2)
    host, _, port = (listen or f":{parts.port or (443 if parts.scheme == 'https' else 80)}").rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise CommandError(f"--listen must be HOST:PORT, not {listen!r}", 2)
    return host.strip("[]"), int(port)
