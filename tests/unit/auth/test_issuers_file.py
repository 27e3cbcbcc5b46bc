"""The file of issuers: what it may hold, and errors that name the field and the rule."""

import logging
from pathlib import Path

import pytest

from tams_server.auth.issuer import ALGORITHMS, ClientRights, Issuer
from tams_server.auth.issuers_file import read_issuers
from tams_server.settings import Settings, SettingsError

EVERYTHING = """
issuers:
  - name: keycloak
    issuer: https://sso.example.org/realms/media
    audience: [tams, media]
    jwks_url: https://sso.example.org/keys
    ca_file: /etc/ssl/private-ca.pem
    algorithms: [RS256, ES256]
    leeway: 5
    scope_claim: [scope, roles]
    groups_claim: realm_access.roles
    principal_claim: preferred_username
    scopes: {Media.Read: [read]}
    group_scopes: {editors: [tams-api/read, write]}
    required_claims: {azp: [a, b], typ: Bearer}
    clients: {ingest: {scopes: [write], groups: [news]}}
  - {name: other, issuer: "https://other.example.org"}
"""


def read(tmp_path: Path, text: str) -> tuple[Issuer, ...]:
    file = tmp_path / "issuers.yaml"
    file.write_text(text)
    return read_issuers(Settings(issuers=file))


def test_every_member_is_read(tmp_path: Path) -> None:
    first, second = read(tmp_path, EVERYTHING)
    assert first == Issuer(
        name="keycloak",
        issuer="https://sso.example.org/realms/media",
        audiences=frozenset({"tams", "media"}),
        jwks_url="https://sso.example.org/keys",
        ca_file=Path("/etc/ssl/private-ca.pem"),
        algorithms=frozenset({"RS256", "ES256"}),
        leeway_s=5,
        scope_claims=("scope", "roles"),
        groups_claims=("realm_access.roles",),
        principal_claim="preferred_username",
        scopes={"Media.Read": frozenset({"read"})},
        group_scopes={"editors": frozenset({"read", "write"})},
        required_claims={"azp": frozenset({"a", "b"}), "typ": frozenset({"Bearer"})},
        clients={"ingest": ClientRights(frozenset({"write"}), frozenset({"news"}))},
    )
    assert second == Issuer("other", "https://other.example.org")
    assert second.algorithms == set(ALGORITHMS)


def test_one_issuer_needs_no_file() -> None:
    assert read_issuers(Settings()) == ()
    settings = Settings(jwt_issuer="https://sso.example.org", jwt_audience="tams", jwt_groups_claim="cognito:groups")
    assert read_issuers(settings) == (
        Issuer("sso", "https://sso.example.org", audiences=frozenset({"tams"}), groups_claims=("cognito:groups",)),
    )


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        ("{name: a}", "issuer 1: 'issuer' is a required property"),
        ("{name: a, issuer: sso.example.org}", "issuer 1: issuer: 'sso.example.org' must be http(s)://host"),
        ("{name: a, issuer: 'https://u:p@x'}", "must be http(s)://host"),
        ("{name: a, issuer: 'https://x', jwks_url: 'file:///etc/passwd'}", "jwks_url: 'file:///etc/passwd' must be"),
        ("{name: 'a:b', issuer: 'https://x'}", "name: 'a:b' does not match"),
        ("{name: a, issuer: 'https://x', algorithms: [HS256]}", "algorithms.0: 'HS256' is not one of"),
        ("{name: a, issuer: 'https://x', algorithms: [none]}", "algorithms.0: 'none' is not one of"),
        ("{name: a, issuer: 'https://x', leeway: 3600}", "leeway: 3600 is greater than the maximum of 300"),
        ("{name: a, issuer: 'https://x', group_scopes: {g: [root]}}", "group_scopes.g.0: 'root' is not one of"),
        ("{name: a, issuer: 'https://x', audiences: t}", "'audiences' was unexpected"),
        ("5", "issuer 1: 5 is not of type 'object'"),
        ("{name: a, issuer: 'https://x'}\n  - {name: a, issuer: 'https://y'}", "name: 'a' is used by 2 issuers"),
        ("{name: a, issuer: 'https://x'}\n  - {name: b, issuer: 'https://x'}", "issuer: 'https://x' is used by 2"),
    ],
)
def test_errors_name_the_field_and_the_rule(entry: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, f"issuers:\n  - {entry}\n")
    assert error in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "issuers: []", "issuers: 5", "issuers: [{}]\nmore: 1", "issuers: {a"])
def test_the_file_must_be_a_list_of_issuers(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="issuers"):
        read(tmp_path, text)
    with pytest.raises(SettingsError, match="TAMS_ISSUERS"):
        read_issuers(Settings(issuers=tmp_path / "missing.yaml"))


def test_keys_over_plain_http_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(tmp_path, "issuers: [{name: a, issuer: 'http://localhost:8080'}, {name: b, issuer: 'https://x'}]")
        assert caplog.text == ""
        read(tmp_path, "issuers: [{name: a, issuer: 'http://sso:8080'}]")
    assert "http://sso:8080" in caplog.text
