"""What claims of the identity providers of the field mean here: scopes, groups, clients and names."""

from typing import Any

import pytest

from tams_server.auth.claims import caller_of
from tams_server.auth.issuer import ClientRights, Issuer
from tams_server.auth.presented_credential import InvalidCredential

ISSUER = "https://sso.example.org"
READ, WRITE = frozenset({"read"}), frozenset({"write"})


def rights(claims: dict[str, Any], **rules: Any) -> tuple[str, set[str], set[str]]:
    issuer = Issuer(**{"name": "sso", "issuer": ISSUER, **rules})
    caller = caller_of({"iss": ISSUER, "sub": "ann", **claims}, issuer)
    return caller.name, set(caller.scopes), set(caller.groups)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, ""),
        ({"scope": "openid tams-api/read  tams-api/write"}, "read write"),
        ({"scp": ["tams-api/read", "tams-api/delete"]}, "delete read"),
        ({"scp": "tams-api/admin"}, "admin"),
        ({"scope": "tams-api/read", "scp": "tams-api/write"}, "read write"),
        ({"scope": "read write admin"}, ""),
        ({"scope": "tams-api/root other/read TAMS-API/read"}, ""),
        ({"scope": 5, "scp": {"tams-api/read": True}}, ""),
        ({"scope": ["tams-api/read tams-api/write"]}, ""),
        ({"roles": ["tams-api/read"]}, ""),
    ],
    ids=str,
)
def test_scopes_are_read_by_their_full_names(claims: dict[str, Any], expected: str) -> None:
    assert rights(claims)[1] == set(expected.split())


def test_other_names_are_scopes_by_a_map_only() -> None:
    names = {"https://media.example.org/view": READ, "Media.Write": WRITE}
    claims = {"roles": ["Media.Write", "Unknown"], "scp": "https://media.example.org/view"}
    assert rights(claims, scopes=names, scope_claims=("scp", "roles"))[1] == {"read", "write"}
    assert rights(claims, scopes=names)[1] == {"read"}


@pytest.mark.parametrize(
    ("path", "claims"),
    [
        ("groups", {"groups": ["news", "sport"]}),
        ("cognito:groups", {"cognito:groups": ["news", "sport"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["news", "sport"]}}),
        ("resource_access.tams.roles", {"resource_access": {"tams": {"roles": ["news", "sport"]}}}),
        ("https://example.org/groups", {"https://example.org/groups": ["news", 5, "sport", None]}),
    ],
)
def test_groups_are_read_by_a_path_and_may_grant_scopes(path: str, claims: dict[str, Any]) -> None:
    found = rights(claims, groups_claims=(path,), group_scopes={"news": READ, "others": WRITE})
    assert found == ("sso:ann", {"read"}, {"news", "sport"})
    assert rights(claims, groups_claims=("nothing.of.it",))[2] == set()
    assert rights({"groups": {"a": 1}, "realm_access": ["roles"]}, groups_claims=(path,))[2] == set()


def test_groups_that_cannot_be_written_are_dropped() -> None:
    given = ["news", "news,sport", "a\nb", "a\0b", "", " "]
    assert rights({"groups": given})[2] == {"news"}
    assert rights({"groups": "news,sport"}, group_scopes={"news,sport": WRITE})[1:] == (set(), set())


CLIENTS = {"ingest": ClientRights(frozenset({"read", "write"}), frozenset({"news"}))}


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "ingest", "client_id": "ingest"},
        {"sub": "ingest@clients", "azp": "ingest", "gty": "client-credentials"},
        {"sub": "5", "oid": "5", "azp": "ingest", "roles": []},
        {"sub": "5", "appid": "ingest", "idtyp": "app"},
        {"sub": "5", "azp": "ingest", "preferred_username": "service-account-ingest"},
        {"sub": "ingest", "cid": "ingest"},
    ],
    ids=["Cognito", "Auth0", "Entra ID", "Entra ID with idtyp", "Keycloak", "Okta"],
)
def test_a_client_has_the_rights_that_the_settings_give_it(claims: dict[str, Any]) -> None:
    assert rights(claims, clients=CLIENTS)[1:] == ({"read", "write"}, {"news"})
    assert rights({**claims, "groups": ["own"]}, clients=CLIENTS)[1:] == (set(), {"own"})
    assert rights(claims, clients={"another": CLIENTS["ingest"]})[1:] == (set(), set())


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "ann", "client_id": "ingest"},
        {"sub": "5", "oid": "6", "azp": "ingest", "scp": "openid"},
        {"sub": "5", "oid": "5", "azp": "ingest", "scp": "openid"},
        {"sub": "5", "azp": "ingest", "preferred_username": "ann"},
        {"sub": "ingest"},
        {"sub": None, "oid": None, "azp": "ingest", "preferred_username": "ann"},
    ],
    ids=str,
)
def test_a_person_does_not_get_the_rights_of_the_client_in_use(claims: dict[str, Any]) -> None:
    assert caller_scopes(claims) == set()


def caller_scopes(claims: dict[str, Any]) -> set[str]:
    return rights(claims, clients=CLIENTS, principal_claim="azp" if claims["sub"] is None else "sub")[1]


def test_names_of_callers_cannot_be_those_of_others() -> None:
    by_name = {"principal_claim": "preferred_username"}
    names = [
        rights({"preferred_username": "ann"}, **by_name)[0],
        rights({"sub": "ann"}, **by_name)[0],
        rights({"preferred_username": "sub:ann"}, **by_name)[0],
        rights({"preferred_username": "sub%3Aann"}, **by_name)[0],
        rights({"preferred_username": "ann"}, name="partner", **by_name)[0],
    ]
    assert names == ["sso:ann", "sso:sub:ann", "sso:sub%3Aann", "sso:sub%253Aann", "partner:ann"]
    assert (
        rights({"identity": {"mail": "ann@example.org"}}, principal_claim="identity.mail")[0] == "sso:ann@example.org"
    )


def test_required_claims_must_have_one_of_their_values() -> None:
    rules = {"required_claims": {"token_use": frozenset({"access"}), "client_id": frozenset({"a", "b"})}}
    assert rights({"token_use": "access", "client_id": "b"}, **rules)[0] == "sso:ann"
    for claims in (
        {"token_use": "access", "client_id": "c"},
        {"client_id": "a"},
        {"token_use": ["x"], "client_id": "a"},
    ):
        with pytest.raises(InvalidCredential):
            rights(claims, **rules)
