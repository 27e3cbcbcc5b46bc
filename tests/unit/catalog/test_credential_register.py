"""The life of credentials: created, rotated, revoked, and taken out of the settings."""

from collections.abc import Callable
from pathlib import Path

import pytest

from storage.catalog.credential_register import CredentialRegister
from storage.catalog.credentials import Credentials
from storage.errors import AlreadyExists, Invalid, NotFound
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.rows import CredentialKind
from tams_server.auth.bootstrap import store_credentials
from tams_server.settings import Settings

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
KINDS: tuple[CredentialKind, ...] = ("bearer", "basic", "client")


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    engine.create()
    return engine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("storage.catalog.clock.time.time_ns", lambda: clock.now * 1000)
    return clock


@pytest.fixture
def register(engine: Engine, clock: Clock) -> CredentialRegister:
    return CredentialRegister(engine, clock)


@pytest.fixture
def credentials(engine: Engine) -> Credentials:
    return Credentials(engine)


def states(register: CredentialRegister, kind: CredentialKind, clock: Callable[[], int]) -> list[str]:
    return [each.state(clock()) for each in register.all(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_unique_within_a_kind(register: CredentialRegister, kind: CredentialKind) -> None:
    for each in KINDS:
        register.create(each, "camera", ["read"])
    with pytest.raises(AlreadyExists, match="named 'camera'"):
        register.create(kind, "camera", ["read"])
    register.revoke(kind, "camera")
    assert register.create(kind, "camera", ["write"]).credential.scopes == {"write"}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 300])
def test_an_impossible_name_is_rejected(register: CredentialRegister, name: str) -> None:
    with pytest.raises(Invalid):
        register.create("bearer", name, ["read"])


def test_no_credential_has_the_name_of_a_caller_of_an_issuer(register: CredentialRegister) -> None:
    for kind in KINDS:
        with pytest.raises(Invalid, match="colon"):
            register.create(kind, "keycloak:ann", ["read"])


@pytest.mark.parametrize("group", ["", " ", "a,b", "a\nb"])
def test_a_group_that_no_class_can_be_is_rejected(register: CredentialRegister, group: str) -> None:
    with pytest.raises(Invalid, match="group"):
        register.create("bearer", "camera", ["read"], groups=[group])


def test_groups_and_expiry_are_those_of_the_credential(
    register: CredentialRegister, credentials: Credentials, clock: Clock
) -> None:
    made = register.create("bearer", "guest", ["read"], groups=["news read", "b"], expires=NOW + SECOND)
    found = credentials.by_token(made.secret)
    assert found is not None
    assert (found.groups, found.expires, found.state(NOW)) == ({"news read", "b"}, NOW + SECOND, "active")
    assert found.state(NOW + SECOND) == "expired"
    with pytest.raises(Invalid, match="future"):
        register.create("bearer", "late", ["read"], expires=NOW)


def test_a_rotated_token_works_until_the_grace_ends(
    register: CredentialRegister, credentials: Credentials, clock: Clock
) -> None:
    first = register.create("bearer", "camera", ["read", "write"], groups=["g"]).secret
    second = register.rotate("bearer", "camera", grace_s=60).secret
    old, new = credentials.by_token(first), credentials.by_token(second)
    assert old is not None and new is not None
    assert (new.scopes, new.groups, new.expires) == ({"read", "write"}, {"g"}, None)
    assert [old.state(NOW + 59 * SECOND), old.state(NOW + 60 * SECOND)] == ["active", "expired"]
    third = register.rotate("bearer", "camera").secret
    assert states(register, "bearer", clock) == ["revoked", "revoked", "active"]
    assert credentials.by_token(third) is not None


def test_a_rotated_client_has_both_secrets_until_the_grace_ends(
    register: CredentialRegister, credentials: Credentials, clock: Clock
) -> None:
    first = register.create("client", "convert", ["read"]).secret
    issued = credentials.by_client("convert")
    assert issued is not None and issued.has_secret(first, NOW)
    second = register.rotate("client", "convert", grace_s=60).secret
    client = credentials.by_client("convert")
    assert client is not None
    assert client.generation != issued.generation
    for now, old in ((NOW + 59 * SECOND, True), (NOW + 60 * SECOND, False)):
        assert client.has_secret(second, now)
        assert client.has_secret(first, now) == old
        assert client.accepts_generation(issued.generation, now) == old
    register.rotate("client", "convert")
    client = credentials.by_client("convert")
    assert client is not None and not client.has_secret(second, NOW)


def test_a_revoked_credential_cannot_be_rotated_or_revoked_again(register: CredentialRegister) -> None:
    register.create("client", "convert", ["read"])
    register.revoke("client", "convert")
    for change in (register.rotate, register.revoke):
        with pytest.raises(NotFound, match="no active client"):
            change("client", "convert")


def test_no_secret_is_described(register: CredentialRegister) -> None:
    for kind in KINDS:
        made = register.create(kind, "camera", ["read"])
        rotated = register.rotate(kind, "camera", grace_s=60)
        for each in register.all(kind):
            text = str(each.described())
            hashes = [made.secret, rotated.secret, each.secret, each.previous, each.id if kind == "bearer" else ""]
            assert [secret for secret in hashes if secret and secret in text] == []


def test_credentials_that_leave_the_settings_are_revoked(
    register: CredentialRegister, credentials: Credentials, clock: Clock
) -> None:
    other = register.create("bearer", "bootstrap", ["read"]).secret
    both = Settings(bootstrap_token="token-1", bootstrap_basic="ann:sheep graze on Tuesdays")
    store_credentials(both, credentials)
    store_credentials(Settings(bootstrap_basic="bob:sheep graze on Tuesdays"), credentials)
    found = [credentials.by_token("token-1"), credentials.by_user("ann"), credentials.by_user("bob")]
    assert [each and each.state(NOW) for each in found] == ["revoked", "revoked", "active"]
    with pytest.raises(Invalid, match="TAMS_BOOTSTRAP"):
        register.rotate("basic", "bob")
    store_credentials(both, credentials)
    found = [credentials.by_token("token-1"), credentials.by_user("ann"), credentials.by_user("bob")]
    assert [each and each.state(NOW) for each in found] == ["active", "active", "revoked"]
    assert credentials.by_token(other) is None, "another token of this name is replaced"


def test_a_hash_is_not_replaced_after_a_change_of_the_password(
    register: CredentialRegister, credentials: Credentials
) -> None:
    register.create("basic", "ann", ["read"])
    before = credentials.by_user("ann")
    register.rotate("basic", "ann")
    rotated = credentials.by_user("ann")
    assert before is not None and rotated is not None
    credentials.replace_hash(before, "a hash of the former password")
    assert credentials.by_user("ann") == rotated
    credentials.replace_hash(rotated, "another hash")
    changed = credentials.by_user("ann")
    assert changed is not None and changed.secret == "another hash"
