"""The table of credentials, as requests are checked against it and as the settings fill it (AUTH-*, SCOPE-*).

storage.catalog.credential_register creates, lists, revokes and rotates credentials by name.
"""

import secrets
from collections.abc import Iterable

from storage.catalog.clock import clock
from storage.catalog.credential import Credential, hash_secret, new_row, read_credential, row_id
from storage.catalog.passwords import hash_password, is_outdated, password_matches
from storage.catalog.retry import retried
from storage.errors import Invalid
from storage.tables.conditions import Compare, equals
from storage.tables.engine import Engine
from storage.tables.limits import NAME, check_text
from storage.tables.rows import CredentialRow


class Credentials:
    """Every method may raise storage.errors.Unavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def by_token(self, token: str) -> Credential | None:
        """Return the credential of a token, in whatever state it is. Reads one row by key."""
        return self._get(hash_secret(token))

    def by_user(self, user: str) -> Credential | None:
        """Return the credential of a user, in whatever state. The password must still be compared. Reads one row."""
        return self._get(row_id("basic", user))

    def by_client(self, client_id: str) -> Credential | None:
        """Return the credential of a client, in whatever state. The secret must still be compared. Reads one row."""
        return self._get(row_id("client", client_id))

    def has_users(self) -> bool:
        """Whether there is any user with a password."""
        with self._engine.read_once() as tx:
            return bool(tx.select("credentials", equals(kind="basic"), limit=1, columns=["id"]))

    def empty(self) -> bool:
        """Whether there are no credentials yet."""
        with self._engine.read_once() as tx:
            return not tx.select("credentials", limit=1, columns=["id"])

    def add_token(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        token: str | None = None,
        expires: int | None = None,
        groups: Iterable[str] = (),
    ) -> str:
        """Add a token, random by default, or replace the scopes of an existing one.

        name: the value of `created_by` in what its bearer creates. expires: microseconds since 1970.
        Returns the token, which is not stored. Raises: Invalid for an unknown scope or an empty token.
        """
        token = secrets.token_urlsafe(32) if token is None else token
        if not token:
            raise Invalid("a token must not be empty")
        self._put(new_row("bearer", name, token, scopes, groups, expires))
        return token

    def set_token(self, name: str, scopes: Iterable[str], token: str) -> str:
        """Make `token`, which must not be empty, the only token of this name. It is that of a setting.

        Returns its id. Raises: Invalid for an unknown scope.
        """
        row = new_row("bearer", name, token, scopes)
        self._put({**row, "from_settings": True}, alone=True)
        return row["id"]

    def add_password(
        self,
        user: str,
        password: str,
        scopes: Iterable[str],
        *,
        groups: Iterable[str] = (),
        from_settings: bool = False,
    ) -> str:
        """Add a user, or replace the password and the scopes of an existing one (AUTH-04).

        Returns its id. Raises: Invalid for an unknown scope, an empty password, or a user name that is empty or
        contains a colon, which RFC 7617 forbids.
        """
        if not user or ":" in user or not password:
            raise Invalid("the user name must not be empty or contain a colon, and the password must not be empty")
        known = self.by_user(user)
        is_same = known is not None and not is_outdated(known.secret) and password_matches(known.secret, password)
        secret = known.secret if known is not None and is_same else hash_password(password)
        row = new_row("basic", user, secret, scopes, groups)
        self._put({**row, "from_settings": from_settings})
        return row["id"]

    @retried
    def keep_from_settings(self, ids: Iterable[str]) -> list[str]:
        """Revoke the credentials that exist because of a setting, other than those with these ids.

        Returns their names.
        """
        kept = set(ids)
        with self._engine.write() as tx:
            tx.lock("credentials")
            rows = tx.select("credentials", equals(from_settings=True))
            left = [row for row in rows if row["id"] not in kept and row["revoked"] is None]
            for row in left:
                tx.update("credentials", equals(id=row["id"]), {"revoked": clock()})
        return [row["name"] for row in left]

    @retried
    def replace_hash(self, credential: Credential, secret: str) -> None:
        """Store another hash of the same password, unless the password has been changed meanwhile."""
        with self._engine.write() as tx:
            tx.lock("credentials")
            tx.update("credentials", equals(id=credential.id, secret=credential.secret), {"secret": secret})

    def _get(self, id_: str) -> Credential | None:
        with self._engine.read_once() as tx:
            row = tx.get("credentials", id=id_)
        return None if row is None else read_credential(row)

    @retried
    def _put(self, row: CredentialRow, *, alone: bool = False) -> None:
        """Add or replace a credential, in one transaction. alone: also remove others of its kind and name."""
        check_text(row["name"], NAME, "name")
        with self._engine.write() as tx:
            tx.lock("credentials")
            if alone:
                others = [*equals(kind=row["kind"], name=row["name"]), Compare("id", "!=", row["id"])]
                tx.delete("credentials", others)
            known = tx.get("credentials", id=row["id"])
            if known is not None:
                row = {**row, "created": known["created"]}
                if row == known:
                    return
                tx.delete("credentials", equals(id=row["id"]))
            tx.insert("credentials", [row])
