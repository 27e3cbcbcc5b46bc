"""F7: a segment and its bytes in one request."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from storage.media.object_file import Upload
from storage.tables.conditions import equals
from tests.api.in_process import Running, serving
from tests.api.segment_forms import (
    MEDIA,
    TYPE,
    file_part,
    files,
    form,
    part,
    rows,
    segment,
    segment_part,
    send,
    upload,
)
from tests.conformance.kit.documents import Json, flow, init_flow
from tests.conformance.kit.polling import wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("uploads"), max_upload_bytes=10 * 2**20) as running:
        yield running


@pytest.fixture
def flow_id(server: Running) -> str:
    return make_flow(server)


def make_flow(server: Running, document: Json | None = None) -> str:
    document = document or flow(container=TYPE)
    assert server.client.put(f"/flows/{document['id']}", json=document).status_code == 201
    return str(document["id"])


def listed(server: Running, flow_id: str) -> list[Json]:
    found: list[Json] = server.client.get(f"/flows/{flow_id}/segments?presigned=true").json()
    return found


def objects_of(server: Running, flow_id: str) -> list[Json]:
    return [row for row in rows(server.catalog._engine, "objects") if row["flow_id"] == flow_id]


def assert_rejected(response: httpx.Response, status: int, *words: str) -> Json:
    document: Json = response.json()
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    for word in words:
        assert word in document["detail"]
    return document


def digest(content: bytes, algorithm: str = "sha-256") -> str:
    hashed = hashlib.new(algorithm.replace("-", ""), content).digest()
    return f"{algorithm}=:{b64encode(hashed).decode()}:"


# -- What is stored.


def test_a_segment_is_registered_with_its_bytes(server: Running, flow_id: str) -> None:
    response = upload(server.client, flow_id, number=3, ts_offset="1:0")
    assert response.status_code == 201, response.text
    assert response.content == b""
    [item] = listed(server, flow_id)
    assert item["timerange"] == "[3:0_4:0)"
    assert item["ts_offset"] == "1:0"
    assert response.headers["Location"] == f"{server.url}/objects/{item['object_id']}"
    assert server.client.get(response.headers["Location"]).json()["id"] == item["object_id"]
    media = httpx.get(item["get_urls"][0]["url"])
    assert media.content == MEDIA
    assert media.headers["Content-Type"] == TYPE
    [row] = [row for row in rows(server.catalog._engine, "instances") if row["object_id"] == item["object_id"]]
    assert (row["size"], row["etag"]) == (len(MEDIA), hashlib.md5(MEDIA).hexdigest())
    [row] = objects_of(server, flow_id)
    assert (row["state"], row["content_type"], row["expires"]) == ("media", TYPE, None)


def test_a_client_may_choose_the_id_of_the_object(server: Running, flow_id: str) -> None:
    id_ = f"clips/{flow_id}.ts"
    response = upload(server.client, flow_id, object_id=id_)
    assert response.status_code == 201
    assert response.headers["Location"] == f"{server.url}/objects/clips%2F{flow_id}.ts"
    assert [item["object_id"] for item in listed(server, flow_id)] == [id_]
    again = assert_rejected(upload(server.client, flow_id, number=5, object_id=id_), 400, "already exists")
    assert again["behaviour"] == "STO-05"


def test_the_memory_of_a_buffer_that_grows_is_counted(
    server: Running, flow_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts of an S3 store grow with the object."""
    monkeypatch.setattr(Upload, "buffer_bytes", property(lambda upload: 2**30 if upload.size > 2**20 else 0))
    assert upload(server.client, flow_id).status_code == 201
    large = form(segment_part(segment(1)), file_part(b"x" * 3 * 2**20))
    assert_rejected(send(server.client, flow_id, iter([large])), 503, "bodies of all requests")
    assert len(listed(server, flow_id)) == 1
    monkeypatch.undo()
    assert send(server.client, flow_id, iter([large])).status_code == 201


def test_the_location_leads_to_an_object_with_any_id(server: Running, flow_id: str) -> None:
    for number, id_ in enumerate((f"a\0b {flow_id}", f"\ufdd0 {flow_id}", f"?#%2F/{flow_id}")):
        response = upload(server.client, flow_id, number=number, object_id=id_)
        assert response.status_code == 201, response.text
        assert server.client.get(response.headers["Location"]).json()["id"] == id_


def test_an_error_names_the_part_and_the_field_that_break_the_rule(server: Running, flow_id: str) -> None:
    """The segment is checked only when the headers of the part with its bytes are known."""
    assert upload(server.client, flow_id, object_id=f"taken {flow_id}").status_code == 201
    for members, field in (
        ({"number": 0}, "timerange"),
        ({"number": 1, "object_id": ""}, "object_id"),
        ({"number": 1, "object_id": f"taken {flow_id}"}, "object_id"),
        ({"number": 1, "init_object_id": "x"}, "init_object_id"),
        ({"number": 1, "storage_id": flow_id}, "storage_id"),
    ):
        document = upload(server.client, flow_id, **members).json()
        assert (document["status"], document["field"]) == (400, field)
        assert document["detail"].startswith('part "segment": ')
        assert document["detail"].count('part "') == 1
    body = form(segment_part(segment(1)), file_part(content_type="video/mp4"))
    document = assert_rejected(send(server.client, flow_id, body), 400, 'part "file": Content-Type ')
    assert document["field"] == "Content-Type"


def test_an_upload_whose_object_has_expired_does_not_overwrite_that_of_another(server: Running, flow_id: str) -> None:
    """The client stalls near its last byte, while garbage collection releases the id, which is used again."""
    id_, other = f"clip {flow_id}", make_flow(server)
    body = form(segment_part(segment(object_id=id_)), file_part(b"late" * 2**19))

    def pieces() -> Iterator[bytes]:
        yield body[:-10]
        wait_until(lambda: objects_of(server, flow_id) != [], "the allocation of the object", 20)
        with server.catalog._engine.write() as tx:
            tx.delete("objects", equals(id=id_))
            tx.delete("instances", equals(object_id=id_))
        assert upload(server.client, other, object_id=id_).status_code == 201
        yield body[-10:]

    assert_rejected(send(server.client, flow_id, pieces()), 404, id_)
    assert httpx.get(listed(server, other)[0]["get_urls"][0]["url"]).content == MEDIA
    assert listed(server, flow_id) == []


def test_a_body_of_unknown_length_is_stored(server: Running, flow_id: str) -> None:
    body = form(segment_part(segment()), file_part())
    pieces = [body[start : start + 7] for start in range(0, 700, 7)] + [body[700:]]
    assert send(server.client, flow_id, iter(pieces)).status_code == 201
    assert httpx.get(listed(server, flow_id)[0]["get_urls"][0]["url"]).content == MEDIA


@pytest.mark.parametrize("content", [b"", b"\r\n", b"--a-boundar", b"x" * 3_000_000 + b"\r\n--a-boundar"])
def test_any_bytes_come_back(server: Running, flow_id: str, content: bytes) -> None:
    assert upload(server.client, flow_id, content).status_code == 201
    assert httpx.get(listed(server, flow_id)[0]["get_urls"][0]["url"]).content == content


def test_libraries_for_http_send_such_forms(server: Running, flow_id: str) -> None:
    parts: Any = [
        ("segment", (None, b'{"timerange": "[0:0_1:0)"}', "application/json")),
        ("file", ("a clip \u00e9.ts", MEDIA, TYPE)),
    ]
    assert server.client.post(f"/flows/{flow_id}/segments", files=parts).status_code == 201


def test_the_content_type_of_the_document_may_be_left_out(server: Running, flow_id: str) -> None:
    body = form(part("segment", b'{"timerange": "[0:0_1:0)"}'), file_part())
    assert send(server.client, flow_id, body).status_code == 201


def test_a_flow_with_init_segments_takes_media_of_another_type(server: Running) -> None:
    document = init_flow()
    flow_id = make_flow(server, document)
    response = server.client.post(f"/flows/{flow_id}/storage", json={"limit": 1, "content_type": "video/mp4"})
    [init] = response.json()["media_objects"]
    body = form(segment_part(segment(init_object_id=init["object_id"])), file_part(content_type="video/iso.segment"))
    assert send(server.client, flow_id, body).status_code == 201
    [item] = listed(server, flow_id)
    assert item["init_object"]["object_id"] == init["object_id"]


def test_json_requests_are_read_as_before(server: Running, flow_id: str) -> None:
    path = f"/flows/{flow_id}/segments"
    for content_type in ("multipart/mixed; boundary=x", "multipart/form-data-x; boundary=x", "text/plain"):
        response = server.client.post(path, content=b"{}", headers={"Content-Type": content_type})
        assert_rejected(response, 415, "application/json")
    assert_rejected(server.client.post(path, json={"file": "x"}), 400)
    response = server.client.post(f"/flows/{flow_id}/storage", files={"segment": b"{}"})
    assert_rejected(response, 415, "application/json")


# -- Checksums.


@pytest.mark.behaviour("INT-02")
@pytest.mark.parametrize("header", ["Repr-Digest", "Content-Digest"])
@pytest.mark.parametrize("algorithm", ["sha-256", "sha-512", "md5"])
def test_a_checksum_of_the_bytes_is_verified_and_recorded(
    server: Running, flow_id: str, header: str, algorithm: str
) -> None:
    good, bad = digest(MEDIA, algorithm), digest(b"other", algorithm)
    body = form(segment_part(segment()), file_part(MEDIA, f"{header}: {bad}"))
    document = assert_rejected(send(server.client, flow_id, body), 400, 'part "file"', "does not match")
    assert document["field"].lower() == header.lower()
    assert objects_of(server, flow_id) == []
    body = form(segment_part(segment()), file_part(MEDIA, f"{header}: {good}"))
    assert send(server.client, flow_id, body).status_code == 201
    [item] = listed(server, flow_id)
    [row] = [row for row in rows(server.catalog._engine, "instances") if row["object_id"] == item["object_id"]]
    assert row["checksum"] == good


@pytest.mark.behaviour("INT-02")
def test_a_checksum_of_the_whole_form_is_verified(server: Running, flow_id: str) -> None:
    body = form(segment_part(segment()), file_part())
    wrong = send(server.client, flow_id, body, {"Content-Digest": digest(MEDIA)})
    assert_rejected(wrong, 400, "content-digest", "does not match")
    assert listed(server, flow_id) == objects_of(server, flow_id) == []
    assert send(server.client, flow_id, body, {"Content-Digest": digest(body)}).status_code == 201


# -- Rules on the segment, all of them before the bytes are stored.


def rejected_early(server: Running, flow_id: str, document: Any, status: int, *words: str) -> Json:
    """Send a document with the first bytes of a file that never ends, and return the error."""
    head = segment_part(document) + file_part(b"x" * 1000)[:-2]

    def endless() -> Iterator[bytes]:
        yield head
        for _ in range(64):
            yield b"x" * 65536

    try:
        response = send(server.client, flow_id, endless())
    except (httpx.WriteError, httpx.ReadError):  # the server closed the connection before it could be read
        response = send(server.client, flow_id, head)
    return assert_rejected(response, status, *words)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"timerange": "[4:0_3:0)"}, ["timerange"]),
        ({"timerange": "nonsense"}, ["timerange"]),
        ({"timerange": 5}, ['part "segment"', "timerange"]),
        ({"init_object_id": "x"}, ["init_object_id"]),
        ({"object_id": ".."}, ["cannot be part of a path"]),
        ({"object_id": "x" * 5000}, ["bytes of UTF-8"]),
        ({"storage_id": "10fac26c-0c18-47c4-9bee-a6aaf01daf16"}, ["is not a storage backend"]),
        ({"get_urls": [{"url": "nowhere", "label": "x"}]}, ["get_urls.0"]),
        ({"object_timerange": "[0:0_0:5)"}, ["not inside the object's timerange"]),
        ({"last_duration": "-1:0"}, ["last_duration"]),
    ],
)
def test_a_segment_that_breaks_a_rule_is_rejected_before_its_bytes_are_read(
    server: Running, flow_id: str, members: Json, words: list[str]
) -> None:
    rejected_early(server, flow_id, {"timerange": "[0:0_1:0)", **members}, 400, *words)
    assert objects_of(server, flow_id) == []


def test_an_overlapping_segment_is_rejected_before_its_bytes_are_read(server: Running, flow_id: str) -> None:
    assert upload(server.client, flow_id).status_code == 201
    rejected_early(server, flow_id, segment(), 400, "overlaps")
    assert len(objects_of(server, flow_id)) == 1


def test_errors_of_the_flow_come_first(server: Running, flow_id: str) -> None:
    rejected_early(server, flow()["id"], {}, 404, "there is no flow")
    server.client.put(f"/flows/{flow_id}/read_only", json=True)
    rejected_early(server, flow_id, {}, 403, "read-only")
    without = flow()
    without.pop("container", None)
    rejected_early(server, make_flow(server, without), segment(), 400, "has no container")


def test_preconditions_apply_to_the_flow(server: Running, flow_id: str) -> None:
    body = form(segment_part(segment()), file_part())
    assert send(server.client, flow_id, body, {"If-Match": '"other"'}).status_code == 412
    etag = server.client.get(f"/flows/{flow_id}").headers["ETag"]
    assert send(server.client, flow_id, body, {"If-Match": etag}).status_code == 201


def test_the_caller_needs_the_scope_write(server: Running, flow_id: str) -> None:
    body = form(segment_part(segment()), file_part())
    assert_rejected(send(server.with_scopes("read"), flow_id, body), 403, "tams-api/write")
    assert_rejected(send(server.stranger(), flow_id, body), 401)
    assert send(server.with_scopes("write"), flow_id, body).status_code == 201


# -- Forms that are not as they should be.

DOCUMENT = segment_part(segment())
FILE = file_part(b"some bytes")
LF = form(DOCUMENT, FILE).replace(b"\r\n", b"\n")
BROKEN = {
    "file first": (form(FILE, DOCUMENT), 'part "file"', "in this order"),
    "no file": (form(DOCUMENT), 'part "file" is missing', "in this order"),
    "no segment": (form(FILE), 'part "file"', "in this order"),
    "no part": (form(), 'part "segment" is missing', "in this order"),
    "two files": (form(DOCUMENT, FILE, FILE), "alone"),
    "two segments": (form(DOCUMENT, DOCUMENT, FILE), "alone"),
    "another name": (form(DOCUMENT, part("media", b"x", TYPE)), 'part "media"', "in this order"),
    "another part at the end": (form(DOCUMENT, FILE, part("x", b"y")), "alone"),
    "no name": (form(DOCUMENT).replace(b'; name="segment"', b""), "part 1", "Content-Disposition"),
    "not a form": (form(DOCUMENT).replace(b"form-data", b"attachment"), "part 1", "Content-Disposition"),
    "no type": (form(DOCUMENT, part("file", b"x")), 'part "file"', "Content-Type is missing"),
    "another type": (form(DOCUMENT, file_part(content_type="video/mp4")), 'part "file"', "video/mp2t"),
    "a segment of another type": (form(part("segment", b"{}", "text/xml"), FILE), 'part "segment"', "application/json"),
    "a list of segments": (form(segment_part([segment()]), FILE), 'part "segment"', "type object"),
    "not JSON": (form(part("segment", b"{"), FILE), 'part "segment"', "not valid JSON"),
    "an empty segment": (form(part("segment", b""), FILE), 'part "segment"', "empty"),
    "base64": (form(DOCUMENT, file_part(b"eA==", "Content-Transfer-Encoding: base64")), "Content-Transfer-Encoding"),
    "gzip": (form(DOCUMENT, file_part(b"x", "Content-Encoding: gzip")), "Content-Encoding"),
    "nested": (form(DOCUMENT, part("file", b"x", "multipart/mixed; boundary=y")), 'part "file"', "multipart"),
    "a giant header": (form(part("segment", b"{}", None, "X-Y: " + "z" * 9000), FILE), "part 1", "4096"),
    "many headers": (form(part("segment", b"{}", None, *[f"X{n}: y" for n in range(30)]), FILE), "part 1", "16"),
    "a header twice": (form(DOCUMENT, file_part(b"x", "X-Other: y")), "part 2", "only once"),
    "a header without colon": (form(part("segment", b"{}", None, "nonsense"), FILE), "part 1", "Name: value"),
    "a preamble": (b"This is a form.\r\n" + form(DOCUMENT, FILE), "preamble"),
    "an epilogue": (form(DOCUMENT, FILE) + b"That was a form.", "last boundary"),
    "a long epilogue": (form(DOCUMENT, FILE) + b"x" * 100_000, "last boundary"),
    "many ends": (form(DOCUMENT, FILE) + b"\r\n" * 100_000, "last boundary"),
    "LF alone": (LF, "LF"),
    "LF in a header": (form(DOCUMENT.replace(b"\r\nContent-Type", b"\nContent-Type"), FILE), "part 1", "CRLF"),
    "LF at a boundary": (DOCUMENT[:-2] + b"\n" + FILE + b"--a-boundary--", 'part "segment"'),
    "no end": (DOCUMENT + FILE, "last line"),
    "an empty body": (b"", "begin with"),
    "another boundary": (form(DOCUMENT, FILE).replace(b"a-boundary", b"b-boundary"), "begin with"),
    "false boundaries": (form(DOCUMENT, file_part(b"\r\n--a-boundaryX" * 100_000)), "within"),
    "a boundary with spaces": (form(DOCUMENT, FILE).replace(b"boundary\r\n", b"boundary" + b" " * 90_000), "CRLF"),
    "a wrong length": (form(DOCUMENT, file_part(b"x", "Content-Length: 5")), 'part "file"', "Content-Length"),
    "a part of an object": (form(DOCUMENT, file_part(b"x", "Content-Range: bytes 0-0/9")), "Content-Range"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_form_that_breaks_a_rule_is_rejected(server: Running, flow_id: str, kind: str) -> None:
    body, *words = BROKEN[kind]
    response = send(server.client, flow_id, body)
    if response.status_code == 415:
        assert_rejected(response, 415, *words)
    else:
        assert_rejected(response, 400, *words)
    assert objects_of(server, flow_id) == []


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\tb", '"a b "', "a@b"])
def test_a_boundary_that_breaks_the_rule_is_rejected(server: Running, flow_id: str, boundary: str) -> None:
    document = assert_rejected(send(server.client, flow_id, b"--", boundary=boundary), 400, "boundary")
    assert document["field"] == "Content-Type"


def test_a_form_without_a_boundary_is_rejected(server: Running, flow_id: str) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    response = server.client.post(f"/flows/{flow_id}/segments", content=b"--", headers=headers)
    assert_rejected(response, 400, "boundary")


def test_a_quoted_boundary_of_seventy_characters_is_read(server: Running, flow_id: str) -> None:
    boundary = "a b" + "=" * 67
    body = form(DOCUMENT, FILE).replace(b"a-boundary", boundary.encode())
    assert send(server.client, flow_id, body, boundary=f'"{boundary}"').status_code == 201


def test_a_form_with_a_content_coding_is_rejected(server: Running, flow_id: str) -> None:
    response = send(server.client, flow_id, form(DOCUMENT, FILE), {"Content-Encoding": "gzip"})
    assert_rejected(response, 415, "Content-Encoding")


def test_files_have_a_maximum_size(server: Running, flow_id: str) -> None:
    assert upload(server.client, flow_id, b"x" * (10 * 2**20)).status_code == 201
    assert_rejected(upload(server.client, flow_id, b"x" * (10 * 2**20 + 1), number=2), 413, "10485760")
    assert_rejected(upload(server.client, flow_id, b"x" * (14 * 2**20), number=2), 413, "10485760")
    assert len(objects_of(server, flow_id)) == 1


def test_rejected_uploads_leave_no_file(server: Running, flow_id: str, tmp_path: Path) -> None:
    with serving(tmp_path) as own:
        flow_id = make_flow(own)
        for body in (form(DOCUMENT, file_part(b"x", "Content-Length: 5")), DOCUMENT + FILE):
            assert send(own.client, flow_id, body).status_code == 400
        assert files(tmp_path / "media") == []
        assert rows(own.catalog._engine, "objects", "instances", "garbage") == []
