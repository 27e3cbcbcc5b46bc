"""The keys that sign the tokens of this installation, as the catalogue holds them, and their rotation."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from storage.catalog.retry import retried
from storage.tables.conditions import equals
from storage.tables.engine import Engine

ROW: Final = "token_keys"
"""Key in the table `service`. The value is a list of keys."""

AHEAD_S: Final = 5
"""How long before it signs a new key is published, so that every process knows it."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key. Times are in seconds since 1970.

    private: as a private JSON Web Key. signs_from: when it begins to sign. valid_until: when tokens that it has signed
    are no longer accepted; None for the newest.
    """

    private: dict[str, Any] = field(repr=False)
    signs_from: int
    valid_until: int | None = None

    @property
    def id(self) -> str:
        return str(self.private["kid"])


class TokenKeys:
    """clock: in seconds since 1970. Functions `generate` return a new private JSON Web Key with a kid.

    Every method may raise storage.errors.Unavailable.
    """

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def read(self) -> tuple[TokenKey, ...]:
        """Return the keys that are valid now, the newest last; none before the first was made. Reads one row."""
        with self._engine.read_once() as tx:
            row = tx.get("service", key=ROW)
        return self._valid([] if row is None else row["value"])

    @retried
    def create(self, generate: Callable[[], dict[str, Any]]) -> tuple[TokenKey, ...]:
        """Add a first key unless there is one, and return all."""
        with self._engine.write() as tx:
            tx.lock("service")
            row = tx.get("service", key=ROW)
            if row is not None:
                return self._valid(row["value"])
            keys = (TokenKey(generate(), int(self._clock())),)
            tx.insert("service", [{"key": ROW, "value": _document(keys)}])
        return keys

    @retried
    def rotate(
        self, generate: Callable[[], dict[str, Any]], lifetime_s: int, *, revoke: bool = False
    ) -> tuple[TokenKey, ...]:
        """Add a key, and return all that are valid, the newest last.

        The former ones stay valid until the last token that they sign has expired. lifetime_s: the longest lifetime of
        a token. revoke: let them become invalid at once instead, with all tokens that they have signed.
        """
        now = int(self._clock())
        with self._engine.write() as tx:
            tx.lock("service")
            row = tx.get("service", key=ROW)
            former = () if row is None or revoke else self._valid(row["value"])
            new = TokenKey(generate(), now + AHEAD_S if former else now)
            last = new.signs_from + AHEAD_S + lifetime_s
            keys = (*(key if key.valid_until else TokenKey(key.private, key.signs_from, last) for key in former), new)
            tx.delete("service", equals(key=ROW))
            tx.insert("service", [{"key": ROW, "value": _document(keys)}])
        return keys

    def _valid(self, value: Sequence[dict[str, Any]]) -> tuple[TokenKey, ...]:
        now = self._clock()
        keys = [TokenKey(key["private"], key["signs_from"], key["valid_until"]) for key in value]
        return tuple(
            sorted(
                (key for key in keys if key.valid_until is None or key.valid_until > now),
                key=lambda key: key.signs_from,
            )
        )


def _document(keys: Sequence[TokenKey]) -> list[dict[str, Any]]:
    return [{"private": key.private, "signs_from": key.signs_from, "valid_until": key.valid_until} for key in keys]
