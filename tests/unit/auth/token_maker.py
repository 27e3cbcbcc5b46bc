"""An issuer for tests: real keys, tokens of any content, and a verifier that trusts it."""

import base64
import time
from collections.abc import Callable
from typing import Any

import orjson
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from storage.errors import Unavailable
from tams_server.auth.issuer import ALGORITHMS, Issuer
from tams_server.auth.issuer_keys import IssuerKeys
from tams_server.auth.key_set import KeySet, read_key_set
from tams_server.auth.own_tokens import OwnTokens
from tams_server.auth.token_verifier import TokenVerifier, TrustedIssuer

ISSUER = "https://sso.example.org/realms/media"
AUDIENCE = "tams"
SigningKey = RSAKey | ECKey | OKPKey


def new_key(algorithm: str, kid: str = "1") -> SigningKey:
    """Return a new private key for an algorithm."""
    parameters: Any = {"kid": kid, "use": "sig", "alg": algorithm}
    kind, curve = ALGORITHMS[algorithm]
    if kind == "RSA":
        return RSAKey.generate_key(2048, parameters=parameters)
    made: Any = ECKey if kind == "EC" else OKPKey  # each names the curves that it knows
    key: SigningKey = made.generate_key(curve, parameters=parameters)
    return key


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid token. changes: other values; None leaves a claim out."""
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "nbf": now, "exp": now + 600}
    return {name: value for name, value in {**usual, "scope": "tams-api/read", **changes}.items() if value is not None}


def sign(key: Any, content: dict[str, Any] | bytes, **header: Any) -> str:
    """Return a token with any header and content, which libraries would not sign.

    content: its claims, or raw bytes. header: other values; None leaves a member out.
    """
    usual = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt", **header}
    head = orjson.dumps({name: value for name, value in usual.items() if value is not None})
    signed = f"{encoded(head)}.{encoded(content if isinstance(content, bytes) else orjson.dumps(content))}"
    signature = JWSRegistry.algorithms[str(usual["alg"])].sign(signed.encode(), key)
    return f"{signed}.{encoded(signature)}"


def encoded(part: bytes) -> str:
    """A part of a token, as base64url."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def public(*keys: SigningKey) -> dict[str, Any]:
    """The key set of these keys."""
    return {"keys": [key.as_dict(private=False) for key in keys]}


class IssuerServer:
    """What an issuer serves. document: its key set. available: whether it responds. fetches: how often it was asked."""

    def __init__(self, *keys: SigningKey) -> None:
        self.document: Any = public(*keys)
        self.available = True
        self.fetches = 0

    def fetch(self) -> KeySet:
        self.fetches += 1
        if not self.available:
            raise Unavailable("no connection could be established")
        return read_key_set(self.document)


class Clock:
    """A clock that tests set forward. now: in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def run_now(run: Callable[[], None]) -> None:
    """Run a function of the background at once."""
    run()


def verifier(
    server: IssuerServer,
    own: OwnTokens,
    clock: Callable[[], float] | None = None,
    start: Callable[[Callable[[], None]], None] = run_now,
    wall: Callable[[], float] = time.time,
    **rules: Any,
) -> TokenVerifier:
    """A verifier that trusts the issuer. rules: of Issuer."""
    issuer = Issuer(**{"name": "sso", "issuer": ISSUER, "audiences": frozenset({AUDIENCE}), **rules})
    keys = IssuerKeys(ISSUER, server.fetch, clock or Clock(), start)
    return TokenVerifier([TrustedIssuer(issuer, keys)], own, wall)
