"""Tokens of outside issuers: every algorithm, and every way in which a token can be wrong (AUTH-09, RFC 8725)."""

import hashlib
import hmac
from typing import Any

import orjson
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from storage.catalog.caller import Caller
from tams_server.auth.issuer import ALGORITHMS
from tams_server.auth.own_tokens import OwnTokens
from tams_server.auth.presented_credential import InvalidCredential
from tams_server.auth.token_verifier import VerifiedToken, unknown_issuer
from tams_server.http.request_audit import failed_login
from tests.unit.auth.token_maker import Clock, IssuerServer, SigningKey, claims, encoded, new_key, sign, verifier

NOW = 1_900_000_000


@pytest.fixture(scope="module")
def keys() -> dict[str, SigningKey]:
    return {algorithm: new_key(algorithm) for algorithm in ALGORITHMS}


@pytest.fixture(scope="module")
def key(keys: dict[str, SigningKey]) -> SigningKey:
    return keys["ES256"]


def verified(token: str, own: OwnTokens, *trusted: SigningKey, **rules: Any) -> Caller:
    """Return the caller of a token that must be valid."""
    found = verifier(IssuerServer(*trusted), own, **rules)
    first = found.verify(token)
    result = first if isinstance(first, VerifiedToken) or first is None else found.verify_fetched(first)
    assert result is not None
    assert isinstance(result.rights, Caller)
    return result.rights


def reason(token: str, own: OwnTokens, *trusted: SigningKey, **rules: Any) -> str:
    """Return why a token is rejected."""
    with pytest.raises(InvalidCredential) as caught:
        verified(token, own, *trusted, **rules)
    assert 'error="invalid_token"' in caught.value.headers["WWW-Authenticate"]
    return caught.value.reason


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_tokens_of_every_algorithm_are_verified(algorithm: str, keys: dict[str, SigningKey], own: OwnTokens) -> None:
    token = sign(keys[algorithm], claims())
    assert verified(token, own, keys[algorithm]) == Caller("sso:ann", frozenset({"read"}))
    other = keys["ES256" if algorithm != "ES256" else "RS256"]
    assert reason(token, own, other) == "signature"
    assert reason(token, own, keys[algorithm], algorithms=frozenset(ALGORITHMS) - {algorithm}) == "algorithm"
    head, payload, signature = token.split(".")
    changed = encoded(orjson.dumps(claims(scope="tams-api/admin")))
    assert reason(f"{head}.{changed}.{signature}", own, keys[algorithm]) == "signature"
    assert reason(f"{head}.{payload}.", own, keys[algorithm]) == "signature"


def test_a_key_serves_only_the_algorithm_that_it_names(keys: dict[str, SigningKey], own: OwnTokens) -> None:
    token = sign(keys["RS256"], claims(), alg="PS256")
    assert reason(token, own, keys["RS256"]) == "signature"


def test_tokens_without_a_signature_are_rejected(key: SigningKey, own: OwnTokens) -> None:
    head = encoded(b'{"alg":"none"}')
    payload = encoded(orjson.dumps(claims()))
    assert reason(f"{head}.{payload}.", own, key) == "algorithm"


@pytest.mark.parametrize("form", ["pem", "modulus"])
def test_a_public_key_is_no_shared_secret(form: str, keys: dict[str, SigningKey], own: OwnTokens) -> None:
    rsa = keys["RS256"]
    assert isinstance(rsa, RSAKey)
    secret = rsa.as_pem(private=False) if form == "pem" else str(rsa.as_dict(private=False)["n"]).encode()
    head = encoded(b'{"alg":"HS256","kid":"1"}')
    signed = f"{head}.{encoded(orjson.dumps(claims()))}"
    tag = encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))
    assert reason(f"{signed}.{tag}", own, rsa) == "algorithm"


def test_a_symmetric_key_of_the_issuer_is_not_used(key: SigningKey, own: OwnTokens) -> None:
    server = IssuerServer(key)
    shared = OctKey.import_key("a secret that the issuer should not have published", {"kid": "2", "alg": "HS256"})
    server.document["keys"].append(shared.as_dict(private=True))
    with pytest.raises(InvalidCredential):
        verifier(server, own).verify(sign(shared, claims()))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": NOW}, ""),
        ({"exp": NOW - 30}, "expired"),
        ({"exp": NOW - 29}, ""),
        ({"exp": None}, "no expiry"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"exp": True}, "malformed"),
        ({"nbf": NOW + 30}, ""),
        ({"nbf": NOW + 31}, "not yet valid"),
        ({"iat": NOW + 31}, "not yet valid"),
        ({"nbf": "now"}, "malformed"),
        ({"aud": "others"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": ["others", "tams"]}, ""),
        ({"aud": ["others"]}, "audience"),
        ({"aud": {"tams": True}}, "audience"),
        ({"sub": None}, "no caller"),
        ({"sub": " "}, "no caller"),
        ({"sub": "a\nb"}, "no caller"),
        ({"sub": 7}, "no caller"),
        ({"sub": "x" * 300}, "no caller"),
        ({"token_use": "id"}, "token type"),
        ({"typ": "Refresh"}, "token type"),
        ({"cnf": {"jkt": "x"}}, "bound token"),
        ({"token_use": {}, "typ": []}, ""),
    ],
    ids=str,
)
def test_claims_are_checked(changes: dict[str, Any], expected: str, key: SigningKey, own: OwnTokens) -> None:
    token = sign(key, claims(**{"iat": NOW, "nbf": NOW, "exp": NOW + 60, **changes}))
    clock = Clock(NOW)
    if expected:
        assert reason(token, own, key, wall=clock) == expected
    else:
        assert verified(token, own, key, wall=clock).name == "sso:ann"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ({"crit": ["exp"]}, "crit"),
        ({"crit": ["b64"], "b64": True}, "crit"),
        ({"typ": "logout+jwt"}, "token type"),
        ({"typ": "dpop+jwt"}, "token type"),
        ({"typ": 7}, "token type"),
        ({"kid": "2"}, "signature"),
        ({"typ": None}, ""),
        ({"typ": "JWT"}, ""),
        ({"kid": None}, ""),
        ({"nonce": "of Entra ID", "x5t": "a thumbprint"}, ""),
        ({"jku": "https://elsewhere.example.org/keys", "jwk": {"kty": "EC"}}, ""),
    ],
    ids=str,
)
def test_headers_are_checked(header: dict[str, Any], expected: str, key: SigningKey, own: OwnTokens) -> None:
    token = sign(key, claims(), **header)
    if expected:
        assert reason(token, own, key) == expected
    else:
        assert verified(token, own, key).name == "sso:ann"


def test_keys_in_the_header_are_not_trusted(key: SigningKey, own: OwnTokens) -> None:
    foreign = new_key("ES256", "9")
    token = sign(foreign, claims(), kid=None, jwk=foreign.as_dict(private=False))
    assert reason(token, own, key) == "signature"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a.b.c",
        "a" * 40,
        "e30.e30.",
        "eyJhbGciOiJFUzI1NiJ9.W10.x",
        "eyJhbGciOiJFUzI1NiJ9.e30",
        "é.é.é",
        encoded(b"[" * 6000) + ".e30.x",
        encoded(b'{"alg":' * 1500) + ".e30.x",
        "eyJhbGciOiJFUzI1NiJ9." + "e" * 20_000 + ".x",
    ],
    ids=lambda text: text[:20],
)
def test_other_texts_are_no_tokens_of_an_issuer(text: str, key: SigningKey, own: OwnTokens) -> None:
    assert verifier(IssuerServer(key), own).verify(text) is None


def test_a_token_of_another_issuer_is_not_ours(key: SigningKey, own: OwnTokens) -> None:
    server = IssuerServer(key)
    for other in (None, "https://sso.example.org/realms/media/", "https://SSO.example.org/realms/media", 5, ["x"]):
        assert verifier(server, own).verify(sign(key, claims(iss=other))) is None
    assert server.fetches == 0


@pytest.mark.parametrize("member", ["iss", "alg"])
def test_a_deeply_nested_member_is_no_name(member: str, key: SigningKey, own: OwnTokens) -> None:
    deep = b"[" * 1000 + b"]" * 1000
    head = b'{"alg":' + (deep if member == "alg" else b'"RS256"') + b"}"
    content = orjson.dumps(claims()) if member == "alg" else b'{"iss":' + deep + b"}"
    token = f"{encoded(head)}.{encoded(content)}.x"
    if member == "alg":
        assert reason(token, own, key) == "algorithm"
    else:
        assert verifier(IssuerServer(key), own).verify(token) is None
        error = unknown_issuer(token)
        assert error is not None
        assert (error.reason, error.issuer) == ("issuer", "")


def test_the_claimed_issuer_is_audited_as_such_and_as_nobody(key: SigningKey) -> None:
    error = unknown_issuer(sign(key, claims(iss="https://other.example.org")))
    assert error is not None
    assert failed_login(error) == {"principal": None, "reason": "issuer", "issuer": "https://other.example.org"}


def test_a_token_that_names_no_key_is_tried_with_ten_at_most(own: OwnTokens) -> None:
    keys = [new_key("EdDSA", str(number)) for number in range(12)]
    assert verified(sign(keys[9], claims(), kid=None), own, *keys).name == "sso:ann"
    assert reason(sign(keys[10], claims(), kid=None), own, *keys) == "signature"
    assert verified(sign(keys[10], claims()), own, *keys).name == "sso:ann"


def test_unusable_keys_are_left_out(own: OwnTokens) -> None:
    good, short = new_key("RS256"), RSAKey.generate_key(1024, {"kid": "short", "alg": "RS256"})
    encrypting = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"})
    server = IssuerServer(good)
    server.document["keys"] += [
        short.as_dict(private=False),
        encrypting.as_dict(private=False),
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": 5, "n": "AQAB", "e": "AQAB"},
        {"kty": ["RSA"]},
        {"kty": "unheard of"},
        "no key at all",
    ]
    assert verified_with(server, sign(good, claims()), own) == "sso:ann"
    for bad in (sign(short, claims()), sign(encrypting, claims(), alg="ES256")):
        with pytest.raises(InvalidCredential):
            verified_with(server, bad, own)


def verified_with(server: IssuerServer, token: str, own: OwnTokens) -> str:
    checking = verifier(server, own)
    unknown = checking.verify(token)
    assert unknown is not None
    assert not isinstance(unknown, VerifiedToken)
    rights = checking.verify_fetched(unknown).rights
    assert isinstance(rights, Caller)
    return rights.name
