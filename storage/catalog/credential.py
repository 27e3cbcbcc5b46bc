"""A credential: a token, a user with a password, or a client with a secret; its state and its hashes (AUTH-*).

Only hashes are stored. Tokens and the secrets of clients are 256 random bits, so that a plain SHA-256 protects them.
The hash of a token is the key of its row. Passwords are chosen by people (storage.catalog.passwords).
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from storage.catalog.caller import SCOPES
from storage.catalog.clock import clock, rfc3339
from storage.errors import Invalid
from storage.tables.rows import CredentialKind as CredentialKind
from storage.tables.rows import CredentialRow

SCOPE_PREFIX = "tams-api/"

NOUNS: Final[dict[CredentialKind, str]] = {"bearer": "token", "basic": "user", "client": "client"}
"""The kinds as people call them."""

CredentialState = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Credential:
    """Times are microseconds since 1970.

    scopes: some of storage.catalog.caller.SCOPES. expires: None for never. revoked: when, or None.
    secret: the hash of the password or of the secret of a client, or "" for a token.
    previous: a hash that is accepted as well until `previous_until`.
    from_settings: whether it exists because of a setting.
    """

    id: str
    kind: CredentialKind
    name: str
    secret: str
    scopes: frozenset[str]
    groups: frozenset[str]
    created: int
    expires: int | None
    revoked: int | None
    previous: str
    previous_until: int
    from_settings: bool

    def state(self, now: int) -> CredentialState:
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"

    def hashes(self, now: int) -> tuple[str, ...]:
        """The hashes of which any may match."""
        return (self.secret, self.previous) if self.previous and now < self.previous_until else (self.secret,)

    def has_secret(self, secret: str, now: int) -> bool:
        """Whether `secret` is that of this client. Not for users, whose hashes take long to compare."""
        made = hash_secret(secret)
        return self.kind == "client" and any(hmac.compare_digest(made, known) for known in self.hashes(now))

    def described(self) -> dict[str, Any]:
        """The credential as people may see it: without secrets and hashes, with times as in RFC 3339."""
        now = clock()
        retires = self.previous and self.previous_until > now
        return {
            "kind": NOUNS[self.kind],
            "name": self.name,
            "state": self.state(now),
            "scopes": [scope for scope in SCOPES if scope in self.scopes],
            "groups": sorted(self.groups),
            "created": _shown(self.created),
            "expires": _shown(self.expires),
            "revoked": _shown(self.revoked),
            "previous_secret_until": _shown(self.previous_until) if retires else None,
            "from_settings": self.from_settings,
        }

    @property
    def generation(self) -> str:
        """A text that changes with the secret: for what is issued to a client, and must end with its secret."""
        return _generation(self.secret)

    def accepts_generation(self, generation: str, now: int) -> bool:
        """Whether what was issued to a client with this `generation` is still valid."""
        return any(generation == _generation(known) for known in self.hashes(now))


def read_credential(row: CredentialRow) -> Credential:
    return Credential(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        secret=row["secret"],
        scopes=frozenset(scope.removeprefix(SCOPE_PREFIX) for scope in row["scopes"].split()),
        groups=frozenset((row["groups"] or "").split("\n")) - {""},
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
        previous=row["previous"] or "",
        previous_until=row["previous_until"] or 0,
        from_settings=bool(row["from_settings"]),
    )


def hash_secret(secret: str) -> str:
    """Return the hash of a token, or of the secret of a client."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def row_id(kind: CredentialKind, name: str) -> str:
    """Return the key of the row of a user or a client."""
    return f"{kind}:{name}"


def read_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes in their short form, in the order of SCOPES. Accepts "tams-api/read" and "read" (SCOPE-01).

    Raises: Invalid for an unknown scope, or if there are none.
    """
    given = {scope.removeprefix(SCOPE_PREFIX) for scope in scopes}
    unknown = sorted(given.difference(SCOPES))
    if unknown or not given:
        named = ", ".join(unknown) or "none"
        raise Invalid(f"scopes must be one or more of {', '.join(SCOPES)}, not {named}", field="scopes")
    return [scope for scope in SCOPES if scope in given]


def written_scopes(scopes: Iterable[str]) -> str:
    """Return scopes as they are stored. Raises: Invalid, as `read_scopes`."""
    return " ".join(SCOPE_PREFIX + scope for scope in read_scopes(scopes))


def is_group(text: str) -> bool:
    """Whether a text can be the name of a group.

    A comma would divide it where classes are written as one text (AMB-38), a line break where groups are stored.
    """
    return bool(text.strip()) and "," not in text and text.isprintable()


def written_groups(groups: Iterable[str]) -> str | None:
    """Return groups as they are stored. Raises: Invalid for a name that is empty or has a comma or a line break."""
    named = sorted(set(groups))
    for group in named:
        if not is_group(group):
            raise Invalid(f"a group must be a text without commas and line breaks, not {group!r}", field="groups")
    return "\n".join(named) or None


def new_row(
    kind: CredentialKind,
    name: str,
    secret: str,
    scopes: Iterable[str],
    groups: Iterable[str] = (),
    expires: int | None = None,
) -> CredentialRow:
    """Return the row of a new credential, created now.

    secret: of a token, itself; else its hash. Raises: Invalid for unknown scopes or impossible groups.
    """
    return {
        "id": hash_secret(secret) if kind == "bearer" else row_id(kind, name),
        "kind": kind,
        "name": name,
        "secret": "" if kind == "bearer" else secret,
        "scopes": written_scopes(scopes),
        "groups": written_groups(groups),
        "created": clock(),
        "expires": expires,
        "revoked": None,
        "previous": None,
        "previous_until": None,
        "from_settings": False,
    }


def _shown(microseconds: int | None) -> str | None:
    return None if microseconds is None else rfc3339(microseconds)


def _generation(secret: str) -> str:
    return hashlib.sha256(f"generation {secret}".encode()).hexdigest()[:16]
