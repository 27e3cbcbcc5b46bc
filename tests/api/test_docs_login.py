"""The ways to log in that /docs offers, and where its page may connect to for them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.in_process import Running, serving

ISSUER = "https://sso.example.org/realms/media"


@pytest.fixture(scope="module")
def with_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = {"jwt_issuer": ISSUER, "docs_client_id": "tams-docs", "docs_origins": "https://login.example.org"}
    with serving(tmp_path_factory.mktemp("docs"), **options) as running:
        yield running


@pytest.fixture(scope="module")
def without_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("docs"), jwt_issuer=ISSUER) as running:
        yield running


def connect_sources(response: httpx.Response) -> list[str]:
    policy = response.headers["Content-Security-Policy"]
    [sources] = [part.split()[1:] for part in policy.split(";") if part.split()[0] == "connect-src"]
    return list(sources)


def test_every_way_to_log_in_is_offered(with_provider: Running, without_provider: Running) -> None:
    offered = {}
    for running in (with_provider, without_provider):
        document = running.stranger().get("/openapi.json").json()
        schemes = document["components"]["securitySchemes"]
        assert [next(iter(each)) for each in document["security"]] == list(schemes)
        offered[running.url] = schemes
    first, second = offered.values()
    assert first["client_credentials"]["flows"]["clientCredentials"]["tokenUrl"] == "oauth2/token"
    assert first.pop("identity_provider")["openIdConnectUrl"] == f"{ISSUER}/.well-known/openid-configuration"
    assert first == second
    assert {scheme["type"] for scheme in second.values()} == {"http", "apiKey", "oauth2"}


def test_the_page_connects_to_the_provider_only_if_people_log_in_there(
    with_provider: Running, without_provider: Running
) -> None:
    with_page, without_page = (running.stranger().get("/docs") for running in (with_provider, without_provider))
    assert connect_sources(with_page) == ["'self'", "https://sso.example.org", "https://login.example.org"]
    assert connect_sources(without_page) == ["'self'"]
    assert without_page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    for page in (with_page, without_page):
        assert "script-src 'self';" in page.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


def test_the_window_of_the_login_reaches_the_page(with_provider: Running) -> None:
    with with_provider.stranger() as http:
        assert http.get("/docs").headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
        redirect = http.get("/docs/oauth2-redirect.html")
        assert redirect.headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
        assert '<script src="oauth2-redirect.js"></script>' in redirect.text
        assert http.get("/docs/oauth2-redirect.js").status_code == 200
        script = http.get("/docs/start.js").text
        assert '"clientId":"tams-docs"' in script
        assert '"usePkceWithAuthorizationCodeGrant":true' in script
