"""URLs to call, as they are read: in one canonical form, and never repeated with their secrets."""

import httpx
import pytest

from tams_server.outbound.target_url import InvalidUrl, read_target
from tests.unit.outbound.example_urls import ACCEPTED


@pytest.mark.parametrize(
    ("url", "host", "port", "plain"),
    [
        ("HTTP://Public.Example.:80/A?b#c", "public.example", 80, "http://public.example/A?b"),
        ("https://public.example:80", "public.example", 80, "https://public.example:80/"),
        ("https://[::FFFF:1.2.3.4]/x", "::ffff:102:304", 443, "https://[::ffff:102:304]/x"),
        ("http://0x5db8d70e/", "93.184.215.14", 80, "http://93.184.215.14/"),
        ("http://BÜCHER.example?q", "xn--bcher-kva.example", 80, "http://xn--bcher-kva.example/?q"),
        ("http://a_b.example/", "a_b.example", 80, "http://a_b.example/"),
    ],
)
@pytest.mark.behaviour("AMB-43")
def test_target_is_canonical(url: str, host: str, port: int, plain: str) -> None:
    target = read_target(url)
    assert (target.host, target.port, target.url) == (host, port, plain)


@pytest.mark.parametrize("url", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_http_client_parses_the_target_identically(url: str) -> None:
    target = read_target(url)
    read = httpx.URL(target.url)
    assert (read.raw_host.decode(), read.port or {"http": 80, "https": 443}[read.scheme]) == (target.host, target.port)
    assert read_target(target.url) == target


def test_url_for_messages_has_no_query() -> None:
    assert read_target("https://public.example/a?X-Amz-Signature=s").without_query == "https://public.example/a"


def test_error_does_not_repeat_the_url() -> None:
    with pytest.raises(InvalidUrl) as caught:
        read_target("http://user:s3cr3t@public.example/")
    assert "s3cr3t" not in str(caught.value)
