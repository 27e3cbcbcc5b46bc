"""Tokens that this installation issues: their keys, and what ends them."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet as JoseKeys

from storage.catalog.caller import Caller
from storage.catalog.credential import Credential
from storage.catalog.credentials import Credentials
from storage.catalog.token_keys import AHEAD_S, TokenKeys
from storage.tables.conditions import equals
from storage.tables.engine import Engine
from tams_server.auth.authenticator import CACHED_S, Authenticator
from tams_server.auth.own_tokens import OwnTokens, generate_key
from tams_server.auth.presented_credential import PresentedCredential
from tams_server.auth.token_verifier import TokenVerifier
from tams_server.errors import Unauthorized
from tests.token_clients import add_client
from tests.unit.auth.conftest import INSTALLATION
from tests.unit.auth.token_maker import Clock

URL = "https://tams.example.org"


@pytest.fixture
def client(credentials: Credentials) -> Credential:
    add_client(credentials, "ingest", ["read", "write"], groups=["news"])
    found = credentials.by_client("ingest")
    assert found is not None
    return found


def caller_of(token: str, credentials: Credentials, own: OwnTokens) -> Caller:
    """Return the caller that a process finds which has not seen the token before."""
    authenticator = Authenticator(credentials, tokens=TokenVerifier([], own))
    return authenticator.find_caller(PresentedCredential("token", token))


def other_process(engine: Engine, installation: str = INSTALLATION) -> OwnTokens:
    return OwnTokens(TokenKeys(engine), installation, 600)


def test_a_token_is_accepted_by_every_process(
    engine: Engine, credentials: Credentials, own: OwnTokens, client: Credential
) -> None:
    issued = own.issue(client, ["read"], URL)
    assert issued.lifetime_s == 600
    for process in (own, other_process(engine)):
        assert caller_of(issued.token, credentials, process) == Caller(
            "ingest", frozenset({"read"}), frozenset({"news"})
        )


def test_others_can_verify_it_by_the_public_keys(own: OwnTokens, client: Credential) -> None:
    token = own.issue(client, ["write", "read"], URL).token
    keys = own.public_keys()
    assert all("d" not in key for key in keys)
    decoded = jwt.decode(token, JoseKeys.import_key_set({"keys": keys}), algorithms=["ES256"])
    assert decoded.header["typ"] == "at+jwt"
    named = {name: decoded.claims[name] for name in ("iss", "sub", "client_id", "scope", "aud")}
    assert named == {
        "iss": URL,
        "sub": "ingest",
        "client_id": "ingest",
        "scope": "tams-api/read tams-api/write",
        "aud": f"urn:uuid:{INSTALLATION}",
    }


def test_a_new_secret_ends_the_tokens_of_a_client(credentials: Credentials, own: OwnTokens, client: Credential) -> None:
    token = own.issue(client, ["read"], URL).token
    caller_of(token, credentials, own)
    add_client(credentials, "ingest", ["read", "write"])
    with pytest.raises(Unauthorized):
        caller_of(token, credentials, own)


def test_a_token_has_no_more_rights_than_its_client_has_now(
    credentials: Credentials, own: OwnTokens, client: Credential, engine: Engine
) -> None:
    token = own.issue(client, ["read", "write"], URL).token
    change(engine, scopes="tams-api/read")
    assert caller_of(token, credentials, own).scopes == {"read"}
    change(engine, scopes="tams-api/admin")
    assert caller_of(token, credentials, own).scopes == {"read", "write"}
    change(engine, expires=1)
    with pytest.raises(Unauthorized):
        caller_of(token, credentials, own)
    change(engine, expires=None, revoked=1)
    with pytest.raises(Unauthorized):
        caller_of(token, credentials, own)


def change(engine: Engine, **columns: object) -> None:
    with engine.write() as tx:
        tx.update("credentials", equals(id="client:ingest"), columns)  # type: ignore[arg-type]


def test_a_token_does_not_outlive_its_client(own: OwnTokens, credentials: Credentials, engine: Engine) -> None:
    add_client(credentials, "ingest", ["read"])
    change(engine, expires=time.time_ns() // 1000 + 100_000_000)
    found = credentials.by_client("ingest")
    assert found is not None
    assert 95 <= own.issue(found, ["read"], URL).lifetime_s <= 100


def test_a_token_of_another_installation_is_rejected(
    engine: Engine, credentials: Credentials, client: Credential
) -> None:
    token = other_process(engine, "00000000-0000-4000-8000-000000000002").issue(client, ["read"], URL).token
    with pytest.raises(Unauthorized, match="audience"):
        caller_of(token, credentials, other_process(engine))


def test_rotated_keys_overlap_and_revoked_ones_end(
    engine: Engine, credentials: Credentials, client: Credential
) -> None:
    keys = TokenKeys(engine)
    old = other_process(engine).issue(client, ["read"], URL).token
    rotated = keys.rotate(generate_key, 600)
    assert rotated[-1].signs_from - time.time() == pytest.approx(AHEAD_S, abs=2)
    assert other_process(engine).issue(client, ["read"], URL).token.split(".")[0] == old.split(".")[0]
    caller_of(old, credentials, other_process(engine))
    keys.rotate(generate_key, 600, revoke=True)
    with pytest.raises(Unauthorized):
        caller_of(old, credentials, other_process(engine))
    caller_of(other_process(engine).issue(client, ["read"], URL).token, credentials, other_process(engine))


def test_a_running_process_follows_the_keys(engine: Engine, client: Credential) -> None:
    clock = Clock()
    process = OwnTokens(TokenKeys(engine), INSTALLATION, 600, clock)
    old = process.issue(client, ["read"], URL).token
    verifying = TokenVerifier([], process)
    assert verifying.verify(old) is not None
    TokenKeys(engine).rotate(generate_key, 600, revoke=True)
    assert verifying.verify(old) is not None
    clock.now += 5.0 - CACHED_S
    assert verifying.verify(old) is None
    new = other_process(engine).issue(client, ["read"], URL).token
    TokenKeys(engine).rotate(generate_key, 600)
    assert verifying.verify(new) is not None


def test_a_token_ends_with_its_expiry_to_the_second(own: OwnTokens, client: Credential) -> None:
    token = own.issue(client, ["read"], URL).token
    wall = Clock(time.time() + 597)
    assert TokenVerifier([], own, wall).verify(token) is not None
    wall.now += 4
    with pytest.raises(Unauthorized, match="expired"):
        TokenVerifier([], own, wall).verify(token)


def test_former_keys_are_forgotten_after_their_last_token(engine: Engine) -> None:
    clock = Clock(time.time() + 100_000)
    keys = TokenKeys(engine, clock)
    first = keys.create(generate_key)[-1]
    assert keys.create(generate_key)[-1].id == first.id
    second = keys.rotate(generate_key, 600)[-1]
    assert {first.id, second.id} <= {key.id for key in keys.read()}
    clock.now += 600 + 3 * AHEAD_S
    assert [key.id for key in keys.read()] == [second.id]
