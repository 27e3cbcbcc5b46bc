"""docs/access.md: its examples are valid files of issuers, and its table has every member."""

import re
from pathlib import Path

import pytest

from tams_server.auth.claims import caller_of
from tams_server.auth.issuer import ALGORITHMS, Issuer
from tams_server.auth.issuers_file import _ISSUER, read_issuers
from tams_server.settings import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "access.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def issuers(tmp_path: Path) -> dict[str, Issuer]:
    found = {}
    for number, example in enumerate(EXAMPLES):
        file = tmp_path / f"{number}.yaml"
        file.write_text(example)
        [issuer] = read_issuers(Settings(issuers=file))
        found[issuer.name] = issuer
    return found


def test_the_table_has_every_member() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(_ISSUER["properties"])  # type: ignore[call-overload]
    assert all(algorithm in PAGE for algorithm in ALGORITHMS)


def test_the_examples_mean_what_the_page_says(issuers: dict[str, Issuer]) -> None:
    assert set(issuers) == {"keycloak", "cognito", "entra", "auth0"}
    tokens = {
        "keycloak": {
            "aud": ["tams", "account"],
            "typ": "Bearer",
            "sub": "f0e1",
            "preferred_username": "ann",
            "scope": "openid tams-api/read",
            "realm_access": {"roles": ["tams-editors"]},
        },
        "cognito": {
            "token_use": "access",
            "client_id": "5b2exampleclient",
            "sub": "f0e1",
            "username": "ann",
            "scope": "openid",
            "cognito:groups": ["editors"],
        },
        "entra": {"aud": "APPLICATION-ID", "sub": "x", "oid": "ann", "azp": "ui", "scp": "Tams.Read Tams.Write"},
        "auth0": {
            "aud": ["https://tams.example.org", "https://TENANT.eu.auth0.com/userinfo"],
            "sub": "ann",
            "azp": "ui",
            "scope": "openid tams-api/read",
            "permissions": ["tams-api/read", "tams-api/write"],
        },
    }
    for name, claims in tokens.items():
        caller = caller_of({"iss": issuers[name].issuer, **claims}, issuers[name])
        assert (caller.name, caller.scopes) == (f"{name}:ann", {"read", "write"})


def test_clients_of_the_examples_have_their_groups(issuers: dict[str, Issuer]) -> None:
    tokens = {
        "keycloak": {"aud": "tams", "sub": "1", "azp": "ingest", "preferred_username": "service-account-ingest"},
        "cognito": {"token_use": "access", "sub": "7a1exampleclient", "client_id": "7a1exampleclient"},
        "entra": {"aud": "APPLICATION-ID", "sub": "1", "oid": "1", "azp": "CLIENT-ID-OF-THE-INGEST", "roles": []},
        "auth0": {"aud": "https://tams.example.org", "sub": "CLIENT-ID@clients", "azp": "CLIENT-ID"},
    }
    for name, claims in tokens.items():
        assert caller_of({"iss": issuers[name].issuer, **claims}, issuers[name]).groups == {"news_write"}
