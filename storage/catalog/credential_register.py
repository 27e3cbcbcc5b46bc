"""The life of credentials: created, listed, rotated and revoked, by kind and name.

A change is known to every serving process within the few seconds for which it remembers callers
(tams_server.auth.authenticator).
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from storage.catalog.clock import clock as system_clock
from storage.catalog.credential import NOUNS, Credential, hash_secret, new_row, read_credential
from storage.catalog.passwords import check_strength, hash_password
from storage.catalog.retry import retried
from storage.errors import AlreadyExists, Invalid, NotFound
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from storage.tables.limits import NAME, check_text
from storage.tables.rows import CredentialKind, CredentialRow
from storage.tables.transaction import Writer


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A credential that was created or rotated, or whose secret was. secret: of which only a hash is stored."""

    credential: Credential
    secret: str


class CredentialRegister:
    """Every method may raise storage.errors.Unavailable. clock: returns microseconds since 1970."""

    def __init__(self, engine: Engine, clock: Callable[[], int] = system_clock) -> None:
        self._engine = engine
        self._clock = clock

    def all(self, kind: CredentialKind) -> list[Credential]:
        """Return the credentials of a kind in every state, by name, the oldest first."""
        with self._engine.read() as tx:
            rows = tx.select("credentials", equals(kind=kind))
        return sorted(map(read_credential, rows), key=lambda each: (each.name, each.created))

    def create(
        self,
        kind: CredentialKind,
        name: str,
        scopes: Iterable[str],
        *,
        groups: Iterable[str] = (),
        expires: int | None = None,
        password: str | None = None,
    ) -> NewCredential:
        """Create a credential with a random secret.

        expires: microseconds since 1970; None for never. password: of a user, instead of a random one.
        Raises: Invalid for a name, scopes, groups or a password that cannot be; AlreadyExists if a credential of this
        kind and name is active.
        """
        self._check_name(kind, name)
        if expires is not None and expires <= self._clock():
            raise Invalid("the time of expiry must be in the future", field="expires")
        secret, stored = _new_secret(kind, name, password)
        return NewCredential(
            read_credential(self._insert(new_row(kind, name, stored, scopes, groups, expires))), secret
        )

    def rotate(
        self, kind: CredentialKind, name: str, *, grace_s: int = 0, password: str | None = None
    ) -> NewCredential:
        """Give a credential another secret. The present one is accepted for `grace_s` seconds more.

        password: of a user, instead of a random one.
        Raises: NotFound if there is no active credential of this kind and name; Invalid for a weak password, or if the
        credential is that of a setting.
        """
        secret, stored = _new_secret(kind, name, password)
        change = self._replace_token if kind == "bearer" else self._replace_secret
        return NewCredential(read_credential(change(kind, name, stored, grace_s * 1_000_000)), secret)

    @retried
    def revoke(self, kind: CredentialKind, name: str) -> list[Credential]:
        """Revoke all credentials of this kind and name, for good. Return them as they were.

        Raises: NotFound if none of them is active.
        """
        now = self._clock()
        with self._engine.write() as tx:
            active = _active(tx, kind, name, now)
            for row in active:
                tx.update("credentials", equals(id=row["id"]), {"revoked": now, "previous": None})
        return [read_credential(row) for row in active]

    @retried
    def _insert(self, row: CredentialRow) -> CredentialRow:
        with self._engine.write() as tx:
            tx.lock("credentials")
            same = tx.select("credentials", equals(kind=row["kind"], name=row["name"]))
            if any(read_credential(each).state(row["created"]) == "active" for each in same):
                what = f"{NOUNS[row['kind']]} named {row['name']!r}"
                raise AlreadyExists(f"there is a {what}: choose another name, rotate it, or revoke it", field="name")
            if any(each["id"] == row["id"] for each in same):
                tx.delete("credentials", equals(id=row["id"]))
            tx.insert("credentials", [row])
        return row

    @retried
    def _replace_token(self, kind: CredentialKind, name: str, token: str, grace: int) -> CredentialRow:
        """Add a row for the new token, whose hash is its key, and end the rows of the former ones."""
        now = self._clock()
        with self._engine.write() as tx:
            former = _active(tx, kind, name, now)
            _check_not_from_settings(former)
            newest = max(former, key=lambda row: row["created"])
            row: CredentialRow = {**newest, "id": hash_secret(token), "created": now}
            for each in former:
                ends = min(now + grace, now + grace if each["expires"] is None else each["expires"])
                values = {"expires": ends} if grace else {"revoked": now}
                tx.update("credentials", equals(id=each["id"]), values)
            tx.insert("credentials", [row])
        return row

    @retried
    def _replace_secret(self, kind: CredentialKind, name: str, secret: str, grace: int) -> CredentialRow:
        now = self._clock()
        with self._engine.write() as tx:
            [known] = _active(tx, kind, name, now)
            _check_not_from_settings([known])
            kept = {"previous": known["secret"], "previous_until": now + grace} if grace else {"previous": None}
            values = {"secret": secret, "previous_until": None} | kept
            tx.update("credentials", equals(id=known["id"]), values)
        return {**known, **values}  # type: ignore[typeddict-item]

    def _check_name(self, kind: CredentialKind, name: str) -> None:
        check_text(name, NAME, "name")
        if not name.strip() or not name.isprintable():
            raise Invalid("the name must be a text without control characters", field="name")
        # A colon ends the name in a basic credential (RFC 7617), and is part of the names of an issuer's callers.
        if ":" in name:
            raise Invalid(f"the name of a {NOUNS[kind]} must not contain a colon", field="name")


def _new_secret(kind: CredentialKind, name: str, password: str | None) -> tuple[str, str]:
    """Return a secret, and what `new_row` takes for it."""
    if password is not None:
        check_strength(name, password)
    secret = secrets.token_urlsafe(32) if password is None else password
    if kind == "bearer":
        return secret, secret
    return secret, hash_password(secret) if kind == "basic" else hash_secret(secret)


def _active(tx: Writer, kind: CredentialKind, name: str, now: int) -> list[CredentialRow]:
    """Lock the credentials and return the active ones of this kind and name. Raises: NotFound if there are none."""
    tx.lock("credentials")
    rows = tx.select("credentials", equals(kind=kind, name=name))
    active = [row for row in rows if read_credential(row).state(now) == "active"]
    if not active:
        raise NotFound(f"there is no active {NOUNS[kind]} named {name!r}", field="name")
    return active


def _check_not_from_settings(rows: Iterable[CredentialRow]) -> None:
    if any(row["from_settings"] for row in rows):
        raise Invalid("this credential is that of a setting, TAMS_BOOTSTRAP_...: change it there")
