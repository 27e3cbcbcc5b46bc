"""What a command works with: the servers that it may reach, and where it prints.

Which server: `--context NAME`; else TAMS_URL, with TAMS_TOKEN; else TAMS_CONTEXT; else the context in use. TAMS_TOKEN
without TAMS_URL replaces the credentials of the context. A context's credentials never go to another URL than its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

from tams_server.client import AsyncClient, Client, RetryPolicy
from tams_server.client_cli import contexts_file
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.errors import WRONG_USE, CommandError
from tams_server.client_cli.output import Output
from tams_server.client_cli.progress import Progress
from tams_server.client_cli.retry_notes import RetryNotes

_RETRY = RetryPolicy(for_s=6)
"""Somebody waits, and a wrong URL must not take long. Long transfers pass a policy of their own."""


@dataclass(slots=True)
class Context:
    """Passed to each command. name: of `--context`, "" if it was not given. quiet: no progress, and no notes."""

    environ: Mapping[str, str]
    output: Output
    name: str = ""
    quiet: bool = False
    path: Path = field(init=False)
    _retry_notes: RetryNotes = field(init=False)

    def __post_init__(self) -> None:
        self._retry_notes = RetryNotes(self.note)
        self.path = contexts_file.default_path(self.environ)

    def server(self, name: str = "") -> Server:
        """The server of a named context, or by default the one that this command is for. Raises CommandError."""
        name = name or self.name
        if not name and (url := self.environ.get("TAMS_URL")):
            return _without_user(Server(url, self.environ.get("TAMS_TOKEN", "")))
        contexts = contexts_file.read(self.path)
        chosen = name or self.environ.get("TAMS_CONTEXT") or contexts.used
        if not chosen:
            raise CommandError(
                "no server is set up: tams context add NAME URL --token, or set TAMS_URL and TAMS_TOKEN", WRONG_USE
            )
        if chosen not in contexts.servers:
            known = ", ".join(contexts.servers) or "none"
            raise CommandError(f"there is no context {chosen!r}; known: {known} (tams context add)", WRONG_USE)
        server = contexts.servers[chosen]
        token = self.environ.get("TAMS_TOKEN")
        return replace(Server(server.url), token=token) if token and not name else server

    def client(self, name: str = "", *, retry: RetryPolicy = _RETRY) -> Client:
        """A client of that server; use it as a context manager."""
        server = self.server(name)
        return Client(server.url, server.credentials, retry=self.retrying(retry))

    def async_client(self, name: str = "", *, retry: RetryPolicy = _RETRY) -> AsyncClient:
        """An asynchronous client of that server; use it as an asynchronous context manager."""
        server = self.server(name)
        return AsyncClient(server.url, server.credentials, retry=self.retrying(retry))

    def retrying(self, policy: RetryPolicy) -> RetryPolicy:
        """The policy with notes for the user about what is waited for."""
        return replace(policy, on_retry=self._retry_notes)

    def progress(self) -> Progress:
        """Progress bars on standard error; use it as a context manager, and `add` tasks to it."""
        return Progress(quiet=self.quiet)

    def note(self, text: str) -> None:
        """Print a line for the user on standard error, unless they asked for quiet. Results go to `output`."""
        if not self.quiet:
            self.output.note(text)


def _without_user(server: Server) -> Server:
    """The server with the name and the password of its URL as credentials, as the URL is shown."""
    before, slashes, after = server.url.partition("://")
    authority, slash, path = after.partition("/")
    named, at, host = authority.rpartition("@")
    if not at:
        return server
    user, _, password = (unquote(each) for each in named.partition(":"))
    return replace(server, url=f"{before}{slashes}{host}{slash}{path}", user=user, password=password)
