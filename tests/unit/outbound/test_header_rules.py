"""The header that a webhook may add, Retry-After, and delivery outcomes."""

import email.utils
import sys
import time

import pytest

from storage.errors import Invalid
from tams_server.outbound.delivery_outcome import MAX_RETRY_AFTER_S, outcome_of_response, retry_after_s
from tams_server.outbound.header_rules import DELIVERY_ID, MAX_NAME_CHARS, MAX_VALUE_CHARS, check_header

SECRET = "s3cr3t-value"


@pytest.mark.behaviour("HOOK-POST-14")
@pytest.mark.parametrize(
    "name",
    [
        "",
        "two words",
        "X-Key:",
        "X-Key\r\nHost",
        "X-Key\n",
        "X\x00Key",
        "X-Schlüssel",
        "(key)",
        "a" * (MAX_NAME_CHARS + 1),
        "Host",
        "host",
        "Content-Length",
        "CONTENT-TYPE",
        "Content-Encoding",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Connection",
        "HTTP2-Settings",
        "User-Agent",
        "user_agent",
        "Accept",
        "Accept-Encoding",
        DELIVERY_ID,
        "tams_delivery_id",
        "content_length",
        "Transfer_Encoding",
        "X-Forwarded-For",
        "Forwarded",
        "X-HTTP-Method-Override",
        "X-Original-URL",
        "x_rewrite_url",
        "True-Client-IP",
    ],
)
def test_name_is_rejected(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_header(name, SECRET)
    assert (caught.value.field, caught.value.behaviour) == ("api_key_name", "HOOK-POST-14")
    assert SECRET not in caught.value.message


@pytest.mark.behaviour("HOOK-POST-14", "HOOK-LIST-06")
@pytest.mark.parametrize(
    "value",
    [
        f"{SECRET}\r\nX-Other: 1",
        f"{SECRET}\n",
        f"{SECRET}\r",
        f"{SECRET}\x00",
        f"{SECRET}\x1b[0m",
        f"{SECRET}\x7f",
        f"{SECRET}\x85",
        f" {SECRET}",
        f"{SECRET} ",
        f"\t{SECRET}",
        f"{SECRET}\u2028",
        f"{SECRET}€",
        f"{SECRET}\ud800",
        SECRET + "x" * MAX_VALUE_CHARS,
    ],
)
def test_value_is_rejected_and_not_shown(value: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_header("X-Api-Key", value)
    assert (caught.value.field, caught.value.behaviour) == ("api_key_value", "HOOK-POST-14")
    assert SECRET not in caught.value.message


@pytest.mark.behaviour("HOOK-POST-14")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer a.b.c"),
        ("TAMS-Api-Key", SECRET),
        ("X-Api-Key", SECRET),
        ("x_key!#$%&'*+.^`|~", "a\tb c"),
        ("Cookie", "session=1; a=b"),
        ("X-Key", "schlüssel"),
        ("X-Key", ""),
        ("X-Key", "x" * MAX_VALUE_CHARS),
    ],
)
def test_header_is_accepted(name: str, value: str) -> None:
    check_header(name, value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("99999999999999999999", MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
@pytest.mark.behaviour("DLV-05")
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s(value) == seconds


def test_retry_after_a_date_is_seconds_from_now() -> None:
    seconds = retry_after_s(email.utils.formatdate(time.time() + 600, usegmt=True))
    assert seconds is not None
    assert 500 < seconds <= 600


@pytest.mark.behaviour("DLV-04", "DLV-06")
@pytest.mark.parametrize(
    ("status", "delivered", "problem"),
    [
        (200, True, None),
        (204, True, None),
        (299, True, None),
        (301, False, "redirect"),
        (308, False, "redirect"),
        (400, False, "status"),
        (410, False, "status"),
        (500, False, "status"),
        (799, False, "status"),
    ],
)
def test_outcome_depends_on_the_status(status: int, delivered: bool, problem: str | None) -> None:
    outcome = outcome_of_response(status, "7")
    assert (outcome.delivered, outcome.status, outcome.problem) == (delivered, status, problem)
    assert str(status) in outcome.summary
    assert outcome.retry_after_s == (None if delivered else 7.0)


def test_rules_do_not_import_an_http_client() -> None:
    """The processes that serve the API check webhooks, and should not pay for loading a client."""
    modules = "tams_server.outbound.address_rules, tams_server.outbound.header_rules"
    code = f"import sys, {modules}; print('httpx' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout == "False\n"
