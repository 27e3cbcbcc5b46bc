"""Content-Encoding of JSON bodies: gzip and deflate are decoded, up to a maximum size; everything else is 415."""

import gzip
import json
import time
import tracemalloc
import zlib

import pytest

from tams_server.errors import TooLarge
from tams_server.http.body_memory import BodyMemory
from tams_server.http.content_codings import inflate
from tests.unit.conftest import Client
from tests.unit.stub_handlers import StubHandlers

BODY = json.dumps({"name": "é" * 100}).encode()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def bare_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def post(client: Client, body: bytes, coding: str, content_type: str = "application/json"):  # type: ignore[no-untyped-def]
    headers = {"Content-Type": content_type, "Content-Encoding": coding}
    return client.request("POST", "/service", content=body, headers=headers)


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzipped(BODY)),
        ("GZip", gzipped(BODY)),
        ("x-gzip", gzipped(BODY)),
        ("gzip", gzipped(BODY[:20]) + gzipped(BODY[20:])),
        ("gzip", gzipped(b"\xef\xbb\xbf" + BODY)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", bare_deflate(BODY)),
        ("identity", BODY),
        ("identity, gzip", gzipped(BODY)),
        ("", BODY),
    ],
)
def test_encoded_bodies_are_decoded(client: Client, stub: StubHandlers, coding: str, body: bytes) -> None:
    response = post(client, body, coding)
    assert response.status_code == 200, response.text
    assert stub.call.body == json.loads(BODY)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "gzip;q=1", "*", "é"])
def test_other_codings_are_rejected_with_those_that_are_accepted(client: Client, coding: str) -> None:
    headers = [("Content-Encoding", coding.encode()), ("Content-Type", b"application/json")]
    response = client.request("POST", "/service", content=BODY, headers=headers)
    assert response.status_code == 415
    assert response.headers["Accept-Encoding"] == "gzip, deflate"
    assert "Accept-Encoding" in response.headers["Access-Control-Expose-Headers"]
    assert response.json()["field"] == "Content-Encoding"


def test_repeated_headers_are_one_list(client: Client) -> None:
    headers = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip"), ("Content-Type", "application/json")]
    response = client.request("POST", "/service", content=gzipped(BODY), headers=headers)
    assert response.status_code == 415


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", BODY),
        ("gzip", gzipped(BODY)[:-4]),
        ("gzip", gzipped(BODY)[:-9] + b"\0" * 9),
        ("gzip", gzipped(BODY) + b"more"),
        ("gzip", gzipped(b"") * 1000),
        ("gzip", zlib.compress(BODY)),
        ("deflate", gzipped(BODY)),
        ("deflate", zlib.compress(BODY)[:-1]),
    ],
)
def test_damaged_bodies_are_rejected(client: Client, coding: str, body: bytes) -> None:
    response = post(client, body, coding)
    assert response.status_code == 400
    assert response.json()["field"] == "Content-Encoding"


def test_media_type_is_checked_before_decoding(client: Client) -> None:
    assert post(client, gzipped(BODY), "gzip", "text/plain").status_code == 415


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_decoded_size_is_limited(make_client, coding: str) -> None:  # type: ignore[no-untyped-def]
    client: Client = make_client(max_body_bytes=1000)
    compress = gzipped if coding == "gzip" else zlib.compress
    assert post(client, compress(b'{"name":"%s"}' % (b"a" * 980)), coding).status_code == 200
    response = post(client, compress(b'{"name":"%s"}' % (b"a" * 990)), coding)
    assert response.status_code == 413
    assert "1000 bytes" in response.json()["detail"]


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzipped(b"[" + b"1," * 50_000_000)
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(TooLarge):
        inflate(bomb, "gzip", 2**20, BodyMemory(2**30).share())
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    tracemalloc.stop()
