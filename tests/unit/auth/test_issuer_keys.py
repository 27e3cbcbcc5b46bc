"""The keys of an issuer over time: cached, rotated, removed, and while the issuer is unavailable."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

import pytest

from storage.errors import Unavailable
from tams_server.auth.discovery import trusted_issuers
from tams_server.auth.issuer import Issuer
from tams_server.auth.issuer_keys import FRESH_S, RENEW_S, RETRY_S, STALE_S, UNKNOWN_S, IssuerKeys
from tams_server.auth.key_set import KeySet
from tams_server.auth.own_tokens import OwnTokens
from tams_server.auth.presented_credential import InvalidCredential
from tams_server.auth.token_verifier import TokenVerifier, UnknownKey, VerifiedToken
from tests.unit.auth.token_maker import Clock, IssuerServer, claims, new_key, sign, verifier

FIRST, SECOND = new_key("ES256", "1"), new_key("ES256", "2")


@pytest.fixture
def server() -> IssuerServer:
    return IssuerServer(FIRST)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checking(server: IssuerServer, clock: Clock, own: OwnTokens) -> TokenVerifier:
    return verifier(server, own, clock)


def check(checking: TokenVerifier, token: str) -> VerifiedToken:
    """Verify a token, after the fetch that it causes."""
    found = checking.verify(token)
    if isinstance(found, UnknownKey):
        return checking.verify_fetched(found)
    assert found is not None
    return found


def test_keys_are_fetched_once_for_many_tokens(checking: TokenVerifier, server: IssuerServer) -> None:
    assert server.fetches == 0
    for number in range(20):
        check(checking, sign(FIRST, claims(sub=f"user {number}")))
    assert server.fetches == 1


def test_an_unknown_key_is_looked_for_at_most_every_so_often(
    checking: TokenVerifier, server: IssuerServer, clock: Clock
) -> None:
    check(checking, sign(FIRST, claims()))
    for _ in range(5):
        with pytest.raises(InvalidCredential):
            check(checking, sign(SECOND, claims()))
    assert server.fetches == 1
    clock.now += UNKNOWN_S
    with pytest.raises(InvalidCredential):
        check(checking, sign(SECOND, claims()))
    assert server.fetches == 2


def test_a_new_key_is_found_and_the_former_one_ends(
    checking: TokenVerifier, server: IssuerServer, clock: Clock
) -> None:
    old, new = sign(FIRST, claims()), sign(SECOND, claims())
    check(checking, old)
    server.document = IssuerServer(FIRST, SECOND).document
    clock.now += UNKNOWN_S
    check(checking, new)
    check(checking, old)
    server.document = IssuerServer(SECOND).document
    clock.now += RENEW_S
    check(checking, old)  # the moment before they are fetched again
    clock.now += 1
    check(checking, new)  # which fetches them
    with pytest.raises(InvalidCredential):
        check(checking, old)
    check(checking, new)


def test_an_outage_rejects_no_token_whose_key_is_known(
    checking: TokenVerifier, server: IssuerServer, clock: Clock
) -> None:
    token = sign(FIRST, claims())
    check(checking, token)
    server.available = False
    clock.now += UNKNOWN_S
    for _ in range(2):
        with pytest.raises(Unavailable):
            check(checking, sign(SECOND, claims()))
    fetches = server.fetches
    assert fetches == 2
    clock.now += STALE_S - UNKNOWN_S
    check(checking, token)
    check(checking, sign(FIRST, claims(sub="bob")))
    clock.now += 1
    for _ in range(2):
        with pytest.raises(Unavailable):
            check(checking, token)
    server.available = True
    clock.now += RETRY_S
    check(checking, token)


def test_an_issuer_that_never_responded_gives_503(checking: TokenVerifier, server: IssuerServer, clock: Clock) -> None:
    server.available = False
    for _ in range(3):
        with pytest.raises(Unavailable):
            check(checking, sign(FIRST, claims()))
    assert server.fetches == 1
    clock.now += RETRY_S
    server.available = True
    check(checking, sign(FIRST, claims()))


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": []}, {"keys": ["x"]}, {"keys": [{}] * 101}])
def test_a_document_without_keys_counts_as_an_outage(
    document: object, checking: TokenVerifier, server: IssuerServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.document = document
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable):
        check(checking, sign(FIRST, claims()))
    assert "cannot be fetched" in caplog.text


def test_all_that_wait_share_one_fetch(server: IssuerServer, clock: Clock, own: OwnTokens) -> None:
    started: list[Callable[[], None]] = []
    checking = verifier(server, own, clock, started.append)
    waiting = [checking.verify(sign(FIRST, claims(sub=f"user {n}"))) for n in range(10)]
    assert len(started) == 1
    for each in waiting:
        assert isinstance(each, UnknownKey)
        with pytest.raises(Unavailable):
            checking.verify_fetched(each)  # as after a timeout
    started[0]()
    for each in waiting:
        assert isinstance(each, UnknownKey)
        assert each.ended.done()
        checking.verify_fetched(each)
    assert server.fetches == 1


def test_old_keys_are_used_while_new_ones_are_fetched(server: IssuerServer, clock: Clock, own: OwnTokens) -> None:
    started: list[Callable[[], None]] = []
    checking = verifier(server, own, clock, started.append)
    unknown = checking.verify(sign(FIRST, claims()))
    started.pop()()
    assert isinstance(unknown, UnknownKey)
    checking.verify_fetched(unknown)
    clock.now += RENEW_S + 1
    for _ in range(3):
        assert isinstance(checking.verify(sign(FIRST, claims())), VerifiedToken)
    assert len(started) == 1


def test_keys_are_not_used_after_a_pause_until_the_issuer_was_asked(
    checking: TokenVerifier, server: IssuerServer, clock: Clock
) -> None:
    token = sign(FIRST, claims())
    check(checking, token)
    server.document = IssuerServer(SECOND).document
    clock.now += FRESH_S + 1
    with pytest.raises(InvalidCredential):
        check(checking, token)
    server.document, server.available = IssuerServer(FIRST).document, False
    clock.now += FRESH_S + 1
    check(checking, sign(SECOND, claims()))  # as the issuer is unavailable


def test_requests_wait_after_a_pause(server: IssuerServer, clock: Clock, own: OwnTokens) -> None:
    started: list[Callable[[], None]] = []
    checking = verifier(server, own, clock, started.append)
    for pause_s in (0.0, FRESH_S + 1):
        clock.now += pause_s
        found = checking.verify(sign(FIRST, claims()))
        assert isinstance(found, UnknownKey)
        started.pop()()
        checking.verify_fetched(found)


def test_a_fetch_that_ends_between_two_looks_is_noticed(
    server: IssuerServer, clock: Clock, own: OwnTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Callable[[], None]] = []
    checking = verifier(server, own, clock, started.append)
    checking.verify(sign(FIRST, claims()))
    look = IssuerKeys.fetch_unknown

    def fetch_unknown(keys: IssuerKeys) -> "Future[None] | None":
        if started:
            started.pop()()
        return look(keys)

    monkeypatch.setattr(IssuerKeys, "fetch_unknown", fetch_unknown)
    assert isinstance(checking.verify(sign(FIRST, claims())), VerifiedToken)


def test_an_error_without_a_text_is_an_outage(own: OwnTokens, caplog: pytest.LogCaptureFixture) -> None:
    class Silent(IssuerServer):
        def fetch(self) -> KeySet:
            raise ValueError

    checking = verifier(Silent(FIRST), own)
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable):
        check(checking, sign(FIRST, claims()))
    assert "cannot be fetched: ValueError" in caplog.text


def test_keys_of_an_issuer_by_https_are_fetched_by_https() -> None:
    asked: list[str] = []

    def fetch(url: str) -> dict[str, str]:
        asked.append(url)
        return {"issuer": "https://sso.example.org", "jwks_uri": "http://sso.example.org/keys"}

    [trusted] = trusted_issuers([Issuer("sso", "https://sso.example.org")], lambda _issuer: fetch)
    with pytest.raises(Unavailable, match="https too"):
        trusted.keys._fetch()
    assert asked == ["https://sso.example.org/.well-known/openid-configuration"]


def test_a_fetch_does_not_hold_up_its_caller(server: IssuerServer, own: OwnTokens, clock: Clock) -> None:
    may_end = threading.Event()

    def start(run: Callable[[], None]) -> None:
        threading.Thread(target=lambda: (may_end.wait(10), run()), daemon=True).start()

    found = verifier(server, own, clock, start).verify(sign(FIRST, claims()))
    assert isinstance(found, UnknownKey)
    assert not found.ended.done()
    may_end.set()
    found.ended.result(10)
    assert server.fetches == 1


def test_a_remembered_token_ends_with_its_expiry(server: IssuerServer, own: OwnTokens) -> None:
    wall = Clock(1_900_000_000)
    checking = verifier(server, own, wall=wall, leeway_s=0)
    token = sign(FIRST, claims(iat=1_900_000_000, nbf=None, exp=1_900_000_010))
    assert check(checking, token).until == 1_900_000_010
    wall.now += 9.999
    check(checking, token)
    wall.now += 0.001
    with pytest.raises(InvalidCredential):
        check(checking, token)
