"""The file with the servers that a user works with: named contexts, each a URL and credentials.

It is `tams/contexts.json` in the folder of the user for configuration (XDG Base Directory Specification), readable by
its owner only, since it holds secrets.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tams_server.client import Basic, ClientCredentials, Credentials, Token
from tams_server.client_cli.errors import CommandError


@dataclass(frozen=True, slots=True)
class Server:
    """A TAMS server: the base URL of its API, and at most one kind of credentials for it.

    token: a bearer token. user, password: of HTTP Basic. client_id, client_secret, token_url, scope: OAuth 2 client
    credentials. "" where there is none.
    """

    url: str
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    token_url: str = ""
    scope: str = ""

    @property
    def credentials(self) -> Credentials | None:
        """The credentials for the client library; None without any."""
        if self.token:
            return Token(self.token)
        if self.client_id:
            return ClientCredentials(self.token_url, self.client_id, self.client_secret, self.scope)
        return Basic(self.user, self.password) if self.user else None

    @property
    def sign_in(self) -> str:
        """How it signs in, without a secret."""
        if self.token:
            return "token"
        if self.client_id:
            return f"client {self.client_id} at {self.token_url}"
        return f"user {self.user}" if self.user else "nothing"


@dataclass(slots=True)
class Contexts:
    """The contexts of the file, by name. used: the name of the one in use, "" if none."""

    servers: dict[str, Server] = field(default_factory=dict)
    used: str = ""


def default_path(environ: Mapping[str, str]) -> Path:
    """Where the file is: $TAMS_CONTEXTS_FILE, or in $XDG_CONFIG_HOME, or in ~/.config."""
    if named := environ.get("TAMS_CONTEXTS_FILE"):
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "tams" / "contexts.json"


def read(path: Path) -> Contexts:
    """The contexts in the file; none if it does not exist. Raises CommandError if it cannot be read."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return Contexts()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    try:
        document: Any = json.loads(text)
        servers = {str(name): Server(**members) for name, members in document["contexts"].items()}
        return Contexts(servers, str(document.get("used", "")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(f"{path} is not a file of contexts: correct it, or remove it and add them again") from error


def write(path: Path, contexts: Contexts) -> None:
    """Replace the file in one step, readable by its owner only. Raises CommandError."""
    document = {
        "used": contexts.used,
        "contexts": {
            name: {member: value for member, value in asdict(server).items() if value}
            for name, server in contexts.servers.items()
        },
    }
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes files that only their owner can read.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".contexts-")
        with os.fdopen(descriptor, "w") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
