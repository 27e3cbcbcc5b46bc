"""The ways to sign in to the console, and where the credential is afterwards."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tams_server.console.static_files import FOLDER
from tests.api.in_process import TOKEN, Running, serving
from tests.browser.watch import Watch
from tests.conformance.kit.server import free_port
from tests.interop.identity.provider import new_key, running_provider
from tests.token_clients import add_client

USER, PASSWORD = "ann", "a password of some length"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if not (FOLDER / "index.html").exists():
        pytest.skip("the console has not been built; `make console` builds it")
    with serving(tmp_path_factory.mktemp("sign-in"), bootstrap_basic=f"{USER}:{PASSWORD}") as running:
        yield running


def open_sign_in(page: Page, watch: Watch, running: Running, way: str) -> None:
    watch.allow(running.url)
    page.goto(f"{running.url}/console#/sources")
    page.get_by_role("tab", name=way).click()


def expect_signed_in(page: Page, name: str) -> None:
    """The page that was asked for is shown, and no URL or lasting storage has the credential."""
    expect(page.locator("h1")).to_have_text("Sources")
    expect(page.get_by_label(f"Signed in as {name}")).to_be_visible()
    kept = page.evaluate("sessionStorage.getItem('tams-console-credential')")
    assert kept
    elsewhere = page.evaluate("JSON.stringify([location.href, {...localStorage}, document.cookie, history.state])")
    assert kept.split(" ", 1)[1] not in elsewhere


def test_01_by_token(page: Page, watch: Watch, running: Running) -> None:
    open_sign_in(page, watch, running, "Token")
    page.get_by_label("Token", exact=True).last.fill(TOKEN)
    page.keyboard.press("Enter")
    expect_signed_in(page, "bootstrap")


def test_02_by_the_secret_of_a_client(page: Page, watch: Watch, running: Running) -> None:
    secret = add_client(running.catalog.credentials, "editor", ["read"])
    open_sign_in(page, watch, running, "Client")
    page.get_by_label("Client id").fill("editor")
    page.get_by_label("Client secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect_signed_in(page, "editor")


def test_03_by_user_name_and_password(page: Page, watch: Watch, running: Running) -> None:
    open_sign_in(page, watch, running, "Password")
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password", exact=True).last.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect_signed_in(page, USER)


@pytest.mark.parametrize(
    ("way", "fields"),
    [
        ("Token", {"Token": "wrong"}),
        ("Client", {"Client id": "nobody", "Client secret": "wrong"}),
        ("Password", {"User name": "nobody", "Password": "wrong"}),
    ],
)
def test_04_a_wrong_credential_is_an_error(
    page: Page, watch: Watch, running: Running, way: str, fields: dict[str, str]
) -> None:
    watch.expect("40[01]")
    open_sign_in(page, watch, running, way)
    for label, text in fields.items():
        page.get_by_label(label, exact=True).last.fill(text)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("unknown, expired or revoked")
    assert page.evaluate("sessionStorage.length") == 0


def test_05_the_session_ends_by_signing_out(page: Page, watch: Watch, running: Running) -> None:
    test_01_by_token(page, watch, running)
    page.reload()
    expect(page.locator("h1")).to_have_text("Sources")
    page.get_by_label("Signed in as bootstrap").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("tab", name="Token")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_06_a_credential_that_is_revoked_ends_the_session(page: Page, watch: Watch, running: Running) -> None:
    watch.expect("401")
    token = running.catalog.credentials.add_token("guest", ["read"])
    watch.allow(running.url)
    page.add_init_script(f"sessionStorage.setItem('tams-console-credential', 'Bearer {token}')")
    page.goto(f"{running.url}/console#/sources")
    expect(page.locator("h1")).to_have_text("Sources")
    running.catalog.credential_register.revoke("bearer", "guest")
    expect(page.get_by_role("alert")).to_contain_text("Sign in again")


def test_07_what_a_caller_may_not_do_is_not_offered(page: Page, watch: Watch, running: Running) -> None:
    token = running.catalog.credentials.add_token("observer", ["delete"])
    watch.allow(running.url)
    page.add_init_script(f"sessionStorage.setItem('tams-console-credential', 'Bearer {token}')")
    page.goto(f"{running.url}/console")
    page.get_by_label("Signed in as observer").click()
    expect(page.get_by_text("Scopes: delete")).to_be_visible()
    expect(page.get_by_role("link", name="Flows")).to_have_count(0)


def test_08_at_the_identity_provider(page: Page, watch: Watch, tmp_path: Path) -> None:
    if not (FOLDER / "index.html").exists():
        pytest.skip("the console has not been built; `make console` builds it")
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    options: dict[str, Any] = {"jwt_issuer": issuer, "jwt_audience": "tams", "docs_client_id": "docs"}
    with (
        serving(tmp_path, **options) as running,
        running_provider(port, [new_key("1", "RS256")], "RS256", redirect=f"{running.url}/console"),
    ):
        watch.allow(running.url, issuer)
        watch.expect("fonts.googleapis.com|favicon.ico")  # of the provider's own pages
        page.goto(f"{running.url}/console#/sources")
        expect(page.get_by_role("tab", name="Identity provider")).to_have_attribute("aria-selected", "true")
        page.get_by_label("Create and change").check()
        page.get_by_role("button", name="Go to the identity provider").click()
        page.locator("[name=login]").fill("ann")
        page.locator("[name=password]").fill("any")
        page.locator("button[type=submit]").click()
        page.locator("button[type=submit]").click()  # consent
        expect(page.locator("h1")).to_have_text("Sources")
        expect(page).to_have_url(f"{running.url}/console#/sources")
        credential = page.evaluate("sessionStorage.getItem('tams-console-credential')")
        with running.bearer(credential.removeprefix("Bearer ")) as client:
            assert client.get("/console/session.json").json()["scopes"] == ["read", "write"]


def test_09_no_answer_of_another_sign_in_is_accepted(page: Page, watch: Watch, running: Running) -> None:
    watch.allow(running.url)
    pending = json.dumps({"verifier": "v" * 43, "state": "mine", "hash": "#/sources"})
    page.add_init_script(
        f"if (!sessionStorage.length) sessionStorage.setItem('tams-console-sign-in', {json.dumps(pending)})"
    )
    page.goto(f"{running.url}/console?code=stolen&state=theirs")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("identity provider|state"))
    assert page.evaluate("sessionStorage.getItem('tams-console-credential')") is None


def test_ways_are_chosen_by_arrow_keys(page: Page, watch: Watch, running: Running) -> None:
    open_sign_in(page, watch, running, "Token")
    for key, name in (
        ("ArrowRight", "Client"),
        ("End", "Password"),
        ("ArrowRight", "Token"),
        ("ArrowLeft", "Password"),
    ):
        page.get_by_role("tab", selected=True).press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", selected=True)).to_have_text(name)
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
