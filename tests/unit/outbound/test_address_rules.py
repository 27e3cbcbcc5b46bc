"""URLs that the server may call: a table of rejected ones, and networks that a deployment allows."""

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence

import httpx
import pytest

from storage.errors import Invalid
from tams_server.outbound.address_rules import AddressNotAllowed, AddressRules
from tams_server.outbound.dns_lookups import DnsLookupFailed, DnsLookups, Resolver
from tams_server.outbound.target_url import MAX_URL_CHARS, InvalidUrl, read_target

NAMES: dict[str, list[str]] = {
    "public.example": ["93.184.215.14"],
    "public6.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "public-both.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "xn--bcher-kva.example": ["93.184.215.14"],
    "translated.example": ["64:ff9b::5db8:d70e"],
    "loopback.example": ["127.0.0.1"],
    "loopback6.example": ["::1"],
    "private10.example": ["10.1.2.3"],
    "private172.example": ["172.31.255.254"],
    "private192.example": ["192.168.1.1"],
    "metadata.example": ["169.254.169.254"],
    "metadata6.example": ["fd00:ec2::254"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "translated-private.example": ["64:ff9b::a00:1"],
    "mixed.example": ["93.184.215.14", "10.1.2.3"],
    "mixed-last.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "fe80::1%eth0"],
    "hooks.prod.internal": ["10.1.2.3"],
    "public.internal": ["93.184.215.14"],
    "intranet": ["10.1.2.3"],
}


@contextlib.contextmanager
def hanging() -> Iterator[tuple[Resolver, list[str]]]:
    """A resolver that does not return until the block ends, and the list of names it was called with."""
    end = threading.Event()
    asked: list[str] = []

    def resolve(name: str) -> Sequence[str]:
        asked.append(name)
        end.wait(30)
        return []

    try:
        yield resolve, asked
    finally:
        end.set()


def resolver(name: str) -> Sequence[str]:
    if name not in NAMES:
        raise OSError("no such name")
    return NAMES[name]


REJECTED = {
    # loopback, in every spelling that a connection would understand
    "loopback": "http://127.0.0.1/",
    "loopback-with-port": "http://127.0.0.1:8080/hook",
    "loopback-other": "http://127.255.255.254/",
    "loopback-short": "http://127.1/",
    "loopback-three-parts": "http://127.0.1/",
    "loopback-decimal": "http://2130706433/",
    "loopback-hex": "http://0x7f000001/",
    "loopback-hex-capital": "http://0X7F000001/",
    "loopback-hex-parts": "http://0x7f.0x0.0x0.0x1/",
    "loopback-hex-short": "http://0x7f.1/",
    "loopback-octal": "http://017700000001/",
    "loopback-octal-parts": "http://0177.0.0.1/",
    "loopback-octal-padded": "http://000000177.0.0.01/",
    "loopback-mixed-parts": "http://0x7f.0.1/",
    "loopback-closing-dot": "http://127.0.0.1./",
    "loopback-full-width": "http://１２７。０。０。１/",
    "loopback-full-width-dots": "http://127．0．0．1/",
    "loopback-circled": "http://①②⑦.⓪.⓪.①/",
    "loopback-percent-encoded": "http://127%2E0%2E0%2E1/",
    "loopback-percent-encoded-digits": "http://%31%32%37.0.0.1/",
    "loopback-ipv6": "http://[::1]/",
    "loopback-ipv6-long": "http://[0:0:0:0:0:0:0:1]:443/",
    "loopback-ipv6-zone": "http://[::1%25lo]/",
    "loopback-ipv6-raw-zone": "http://[::1%lo]/",
    "loopback-mapped": "http://[::ffff:127.0.0.1]/",
    "loopback-mapped-hex": "http://[::ffff:7f00:1]/",
    "loopback-compatible": "http://[::127.0.0.1]/",
    "loopback-translated": "http://[64:ff9b::127.0.0.1]/",
    "loopback-6to4": "http://[2002:7f00:1::]/",
    "loopback-teredo": "http://[2001:0:7f00:1::1]/",
    "localhost": "http://localhost/",
    "localhost-with-port": "https://localhost:8443/",
    "localhost-capitals": "http://LocalHost/",
    "localhost-closing-dot": "http://localhost./",
    "localhost-under": "http://hook.localhost/",
    "localhost-under-closing-dot": "http://hook.localhost./",
    "localhost-circled": "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/",
    "localhost-long-s": "http://localhoſt/",
    # this host, and unspecified
    "zero": "http://0.0.0.0/",
    "zero-short": "http://0/",
    "zero-network": "http://0.1.2.3/",
    "unspecified-ipv6": "http://[::]/",
    # private and shared
    "private-10": "http://10.0.0.1/",
    "private-172": "http://172.16.0.1/",
    "private-192": "http://192.168.0.1/",
    "private-decimal": "http://3232235521/",
    "private-mapped": "http://[::ffff:192.168.0.1]/",
    "private-translated": "http://[64:ff9b::10.0.0.1]/",
    "private-translated-locally": "http://[64:ff9b:1::10.0.0.1]/",
    "carrier": "http://100.64.0.1/",
    "unique-local": "http://[fd00::1]/",
    "unique-local-fc": "http://[fc00::1]/",
    "site-local": "http://[fec0::1]/",
    # link-local and metadata
    "link-local": "http://169.254.1.1/",
    "metadata": "http://169.254.169.254/latest/meta-data/",
    "metadata-decimal": "http://2852039166/",
    "metadata-hex": "http://0xa9fea9fe/",
    "metadata-octal": "http://0251.0376.0251.0376/",
    "metadata-mapped": "http://[::ffff:a9fe:a9fe]/",
    "metadata-ipv6": "http://[fd00:ec2::254]/",
    "metadata-alibaba": "http://100.100.100.200/",
    "metadata-oracle": "http://192.0.0.192/",
    "metadata-azure": "http://168.63.129.16/",
    "metadata-name": "http://metadata.google.internal/computeMetadata/v1/",
    "link-local-ipv6": "http://[fe80::1]/",
    "link-local-ipv6-zone": "http://[fe80::1%25eth0]/",
    # special ranges
    "multicast": "http://224.0.0.1/",
    "multicast-wide": "http://239.255.255.250:1900/",
    "multicast-ipv6": "http://[ff02::1]/",
    "multicast-ipv6-global": "http://[ff0e::1]/",
    "broadcast": "http://255.255.255.255/",
    "reserved": "http://240.0.0.1/",
    "benchmarks": "http://198.18.0.1/",
    "documentation": "http://203.0.113.5/",
    "documentation-ipv6": "http://[2001:db8::1]/",
    "documentation-ipv6-new": "http://[3fff::1]/",
    "relay-6to4": "http://192.88.99.1/",
    "discard-ipv6": "http://[100::1]/",
    # names that resolve to such addresses
    "name-loopback": "http://loopback.example/",
    "name-loopback-ipv6": "https://loopback6.example/",
    "name-private-10": "http://private10.example/",
    "name-private-172": "http://private172.example/",
    "name-private-192": "http://private192.example/",
    "name-metadata": "http://metadata.example/",
    "name-metadata-ipv6": "http://metadata6.example/",
    "name-mapped": "http://mapped.example/",
    "name-translated": "http://translated-private.example/",
    "name-mixed": "http://mixed.example/",
    "name-mixed-last": "http://mixed-last.example/",
    "name-capitals-closing-dot": "http://LOOPBACK.Example./",
    "name-without-dots": "http://intranet/",
    # names of private networks, whether they resolve or not
    "internal": "http://hooks.prod.internal/",
    "internal-public": "http://public.internal/",
    "internal-unknown": "http://nobody-knows.internal/",
    "local": "http://printer.local/",
    "home": "http://nas.home.arpa/",
    "localdomain": "http://localhost.localdomain/",
    # user information, which hides the host from readers
    "user": "http://user@public.example/",
    "user-password": "http://user:s3cr3t@public.example/",
    "user-looks-like-host": "http://public.example@127.0.0.1/",
    "user-empty": "http://@public.example/",
    "user-encoded-at": "http://public.example%40127.0.0.1/",
    # schemes
    "ftp": "ftp://public.example/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://public.example:70/_x",
    "data": "data:text/plain,x",
    "javascript": "javascript:alert(1)",
    "no-scheme": "public.example/hook",
    "relative": "/hook",
    "network-path": "//public.example/hook",
    "one-slash": "http:/public.example/",
    "no-slashes": "http:public.example",
    "three-slashes": "http:///public.example/",
    "empty": "",
    # characters that two parsers read differently
    "backslash": "http://public.example\\@127.0.0.1/",
    "backslashes": "http:\\\\public.example/",
    "line-break": "http://public.example/\r\nHost: x",
    "nul": "http://public.example/\x00",
    "tab-in-host": "http://public\t.example/",
    "leading-space": " http://public.example/",
    "space-in-path": "http://public.example/a b",
    "zero-width": "http://public\u200b.example/",
    "lone-surrogate": "http://public.example/\ud800",
    # hosts and ports
    "no-host": "http://:80/",
    "empty-label": "http://public..example/",
    "only-dot": "http://./",
    "label-too-long": f"http://{'a' * 64}.example/",
    "name-too-long": f"http://{'a.' * 127}example/",
    "number-too-large": "http://4294967296/",
    "part-too-large": "http://127.0.0.256/",
    "five-parts": "http://1.2.3.4.5/",
    "not-octal": "http://1.2.3.09/",
    "ipv6-broken": "http://[::1/",
    "ipv6-nonsense": "http://[v1.x]/",
    "ipv6-trailing": "http://[::1]x/",
    "ipv6-bare": "http://::1/",
    "two-ports": "http://public.example:80:80/",
    "port-zero": "http://public.example:0/",
    "port-too-large": "http://public.example:65536/",
    "port-sign": "http://public.example:+80/",
    "port-full-width": "http://public.example:８０/",
    "port-ssh": "http://public.example:22/",
    "port-smtp": "http://public.example:25/",
    "port-redis": "http://public.example:6379/",
    "port-postgresql": "http://public.example:5432/",
    "port-of-unknown-name": "http://nobody-knows.example:25/",
    "too-long": f"http://public.example/{'a' * MAX_URL_CHARS}",
}

ACCEPTED = {
    "name": "http://public.example/hook",
    "name-https": "https://public.example/hook?key=1",
    "name-port": "https://public.example:8443/",
    "name-capitals": "HTTPS://Public.Example/",
    "name-closing-dot": "https://public.example./",
    "name-ipv6": "https://public6.example/",
    "name-both": "https://public-both.example/",
    "name-international": "https://bücher.example/",
    "name-nat64": "https://translated.example/",
    "name-unknown-now": "https://nobody-knows.example/",
    "address": "http://93.184.215.14:9000/",
    "address-ipv6": "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    "no-path": "http://public.example",
    "query-without-path": "http://public.example?a=b@c",
    "fragment": "http://public.example/#@127.0.0.1",
    "empty-port": "http://public.example:/",
}


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


def test_lookups_of_one_name_share_a_thread_and_threads_are_limited() -> None:
    with hanging() as (resolve, asked):
        lookups = DnsLookups(resolve, max_lookups=2)
        for name in ("a.example", "a.example", "b.example"):
            with pytest.raises(DnsLookupFailed, match="within"):
                lookups.addresses(name, 0.01)
        with pytest.raises(DnsLookupFailed, match="too many"):
            lookups.addresses("c.example", 0.01)
        deadline = time.monotonic() + 10
        while len(asked) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sorted(asked) == ["a.example", "b.example"]


def test_lookup_can_be_repeated_after_a_failure() -> None:
    found: list[list[str]] = [[], ["93.184.215.14"]]
    lookups = DnsLookups(lambda _: found.pop(0))
    with pytest.raises(DnsLookupFailed):
        lookups.addresses("a.example", 5)
    assert lookups.addresses("a.example", 5) == ["93.184.215.14"]


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
