"""The public keys of an issuer, from its JSON Web Key Set (RFC 7517)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tams_server.auth.issuer import ALGORITHMS

_log = logging.getLogger(__name__)

_MAX_KEYS: Final = 100
_MAX_TRIED: Final = 10
"""How many keys are tried for a token, which may name none. Each costs about as much as a whole request."""
_RSA_BITS: Final = range(2048, 8192 + 1)
_KINDS: Final[Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], tuple[str, ...]]]] = {
    "RSA": (RSAKey, ("n", "e")),
    "EC": (ECKey, ("crv", "x", "y")),
    "OKP": (OKPKey, ("crv", "x")),
}
"""The class for each type of key, and its public members."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key. kid: "" if it has none. algorithms: those whose signatures it verifies. id: its thumbprint."""

    kid: str
    id: str
    algorithms: frozenset[str]
    key: Key = field(repr=False)


class KeySet:
    """The usable keys of an issuer at one time."""

    def __init__(self, keys: Iterable[VerificationKey] = ()) -> None:
        self.keys = tuple(keys)
        self._ids = frozenset(key.id for key in self.keys)

    def find(self, kid: str | None, algorithm: str) -> Sequence[VerificationKey]:
        """Return the keys that may have signed a token, ten at most. kid: that of the token; None: any."""
        return [key for key in self.keys if algorithm in key.algorithms and kid in (None, key.kid)][:_MAX_TRIED]

    def has(self, id_: str) -> bool:
        return id_ in self._ids


def read_key_set(document: Any) -> KeySet:
    """Return the keys that verify signatures here; others are left out, and logged at level DEBUG.

    Raises ValueError if it is no key set, or has too many keys.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it is not a JSON Web Key Set: it has no list `keys`")
    if len(entries) > _MAX_KEYS:
        raise ValueError(f"its key set has {len(entries)} keys, more than {_MAX_KEYS}")
    keys = []
    for number, entry in enumerate(entries, 1):
        try:
            keys.append(read_key(entry))
        except (ValueError, TypeError, JoseError) as error:
            _log.debug("key %d of a key set is not used: %s", number, error)
    return KeySet(keys)


def read_key(entry: Any) -> VerificationKey:
    """Return the public key in a JSON Web Key. Raises ValueError, TypeError or JoseError if it cannot be used here."""
    if not isinstance(entry, dict):
        raise ValueError("it is not a JSON object")
    kind = entry.get("kty")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError("its kty is not one of RSA, EC and OKP")
    if entry.get("use", "sig") != "sig" or "verify" not in entry.get("key_ops", ["verify"]):
        raise ValueError("it is not meant for signatures")
    algorithms = frozenset(
        name for name, (kty, curve) in ALGORITHMS.items() if kty == kind and curve in (None, entry.get("crv"))
    )
    if "alg" in entry:
        algorithms &= {entry["alg"]}
    if not algorithms:
        raise ValueError("it is for an algorithm that is not accepted")
    make, members = _KINDS[kind]
    key = make.import_key({"kty": kind, **{name: entry[name] for name in members if name in entry}})
    if isinstance(key, RSAKey) and key.public_key.key_size not in _RSA_BITS:
        raise ValueError(f"an RSA key of {key.public_key.key_size} bits is too short or too long")
    kid = entry.get("kid", "")
    if not isinstance(kid, str):
        raise ValueError("its kid is not a text")
    return VerificationKey(kid, key.thumbprint(), algorithms, key)
