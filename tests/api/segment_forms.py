"""Forms with a segment and its bytes (F7), byte for byte, and what a server keeps of them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx

from storage.tables.engine import Engine
from tests.conformance.kit.documents import Json

BOUNDARY = "a-boundary"
TYPE = "video/mp2t"
MEDIA = b"\r\n--a-boundar\x00some media" * 1000
"""Bytes that look like the beginning of a boundary now and then."""


def part(name: str, content: bytes, content_type: str | None = None, *headers: str) -> bytes:
    """Return a part of a form, with its boundary before it."""
    lines = [f'Content-Disposition: form-data; name="{name}"', *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    head = "".join(f"{line}\r\n" for line in lines)
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + content + b"\r\n"


def segment_part(document: Any) -> bytes:
    return part("segment", json.dumps(document).encode(), "application/json")


def file_part(content: bytes = MEDIA, *headers: str, content_type: str = TYPE) -> bytes:
    return part("file", content, content_type, 'X-Other: "x"', *headers)


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def segment(number: int = 0, **members: Any) -> Json:
    return {"timerange": f"[{number}:0_{number + 1}:0)", **members}


def send(
    client: httpx.Client,
    flow_id: str,
    body: bytes | Iterable[bytes],
    headers: Mapping[str, str] | None = None,
    boundary: str = BOUNDARY,
) -> httpx.Response:
    """Send a form. body: in pieces for a body whose length is not announced."""
    named = {"Content-Type": f"multipart/form-data; boundary={boundary}", **(headers or {})}
    return client.post(f"/flows/{flow_id}/segments", content=body, headers=named)


def upload(client: httpx.Client, flow_id: str, content: bytes = MEDIA, **members: Any) -> httpx.Response:
    return send(client, flow_id, form(segment_part(segment(**members)), file_part(content)))


def rows(engine: Engine, *tables: str) -> list[Json]:
    with engine.read() as tx:
        return [dict(row) for table in tables for row in tx.select(table)]


def files(folder: Path) -> list[Path]:
    """The files of objects, and of uploads in progress, in a folder of media."""
    return [path for name in ("objects", "incoming") for path in (folder / name).rglob("*") if path.is_file()]
