"""URLs that the server may call: a table of rejected ones, and networks that a deployment allows."""

import time

import pytest

from storage.errors import Invalid
from storage.waiting import WouldWaitForOthers, not_for_others
from tams_server.outbound.address_rules import AddressNotAllowed, AddressRules
from tests.unit.outbound.example_urls import ACCEPTED, REJECTED, resolver
from tests.unit.outbound.hanging_resolver import hanging


@pytest.mark.behaviour("HOOK-POST-08", "HOOK-PUT-10")
@pytest.mark.parametrize("url", REJECTED.values(), ids=REJECTED.keys())
def test_url_is_rejected(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        AddressRules(resolver=resolver).check_url(url, "url")
    assert caught.value.field == "url"
    assert caught.value.behaviour == "HOOK-POST-08"
    assert caught.value.message.startswith("url ")
    assert "s3cr3t" not in caught.value.message


@pytest.mark.behaviour("HOOK-POST-08")
@pytest.mark.parametrize("url", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_url_is_accepted(url: str) -> None:
    AddressRules(resolver=resolver).check_url(url, "url")


def test_error_does_not_reveal_what_a_name_resolves_to() -> None:
    with pytest.raises(Invalid) as caught:
        AddressRules(resolver=resolver).check_url("http://private10.example/", "url")
    assert "10.1.2.3" not in caught.value.message


@pytest.mark.behaviour("HOOK-POST-08")
@pytest.mark.parametrize(
    ("networks", "url", "allowed"),
    [
        (["127.0.0.0/8"], "http://127.0.0.1:6379/", True),
        (["127.0.0.0/8"], "http://localhost:22/", True),
        (["::1/128"], "http://localhost/", True),
        (["127.0.0.1"], "http://127.0.0.1/", True),
        (["127.0.0.1"], "http://127.0.0.2/", False),
        (["127.0.0.0/8"], "http://2130706433/", True),
        (["127.0.0.0/8"], "http://[::ffff:127.0.0.1]/", True),
        (["127.0.0.0/8"], "http://[::1]/", False),
        (["127.0.0.0/8"], "http://10.0.0.1/", False),
        (["10.0.0.0/8"], "http://private10.example:25/", True),
        (["10.0.0.0/8"], "http://mixed.example/", True),
        (["10.0.0.0/8"], "http://mixed.example:25/", False),
        (["10.0.0.0/8"], "http://hooks.prod.internal/", True),
        (["10.0.0.0/8"], "http://nobody-knows.internal/", False),
        (["10.0.0.0/8"], "http://[64:ff9b::10.0.0.1]/", True),
        (["10.0.0.0/8", "fd00::/8"], "http://[fd00::1]/", True),
        (["fd00::/8"], "http://10.0.0.1/", False),
        (["10.0.0.0/8"], "http://public.example:25/", False),
        (["10.0.0.0/8"], "http://user@10.0.0.1/", False),
        (["0.0.0.0/0", "::/0"], "ftp://10.0.0.1/", False),
        (["0.0.0.0/0", "::/0"], "http://169.254.169.254/", True),
    ],
)
def test_deployment_allows_networks(networks: list[str], url: str, allowed: bool) -> None:
    rules = AddressRules(networks, resolver=resolver)
    if allowed:
        rules.check_url(url, "url")
    else:
        with pytest.raises(Invalid):
            rules.check_url(url, "url")


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "localhost", ""])
def test_invalid_networks_are_rejected(network: str) -> None:
    with pytest.raises(ValueError):
        AddressRules([network])


def test_name_whose_lookup_hangs_is_accepted_at_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tams_server.outbound.address_rules.REGISTRATION_LOOKUP_S", 0.1)
    with hanging() as (resolve, _):
        started = time.monotonic()
        AddressRules(resolver=resolve).check_url("https://slow.example/", "url")
        assert time.monotonic() - started < 5


def test_each_connection_is_checked_again() -> None:
    lookups = iter([["93.184.215.14"], ["127.0.0.1"]])
    rules = AddressRules(resolver=lambda _: next(lookups))
    rules.check_url("https://rebinding.example/", "url")
    with pytest.raises(AddressNotAllowed):
        rules.allowed_addresses("rebinding.example", 443, 1)


def test_only_lookups_make_a_request_leave_its_thread() -> None:
    rules = AddressRules(resolver=resolver)
    with not_for_others():
        rules.check_url("http://93.184.215.14/", "url")
        with pytest.raises(WouldWaitForOthers):
            rules.check_url("http://public.example/", "url")
