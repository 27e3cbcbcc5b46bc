"""A client that writes down each request and its response, without what differs from run to run."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

_SHOWN = ("allow", "content-type", "location", "x-paging-limit", "x-paging-timerange")
"""Headers of responses that are shown."""
_ANY_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_TIME = "2026-01-15T09:30:00Z"
_SIGNATURE = re.compile(r"([?&](?:exp|at|sig)=)[^&\"\s]+")
_RANDOM = re.compile(r'("(?:request_id|metadata_version)": ")[0-9a-f]+')
_NAMES = {200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 404: "Not Found", 409: "Conflict"}
_MEDIA = "(bytes of the media)"

Part = tuple[str | None, str | bytes, str]
"""Of a form: a file name, if any, the content and its media type."""


@dataclass(slots=True)
class Transcript:
    """replaced: texts by what is shown in their place."""

    client: httpx.Client
    replaced: dict[str, str] = field(default_factory=dict)
    blocks: list[str] = field(default_factory=list)

    def send(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        content: bytes | None = None,
        form: Mapping[str, Part] | None = None,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
        credential: bool = True,
    ) -> httpx.Response:
        """Send a request, and write it down with its response, whose status must be this one.

        document: as JSON. content: bytes of media. form: its parts by name. credential: whether the request needs one.
        """
        sent: dict[str, Any] = {"headers": dict(headers or {})}
        if document is not None:
            sent["json"] = document
        if content is not None:
            sent["content"] = content
        if form is not None:
            sent["files"] = dict(form)
        if credential:
            response = self.client.request(method, path, **sent)
        else:
            response = httpx.request(method, path, timeout=30, **sent)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        for shown in (_request(method, path, document, content, form, headers, credential), _response(response)):
            self.blocks.append(f"```http\n{shown}\n```")
        return response

    def step(self, title: str, text: str = "") -> None:
        """Write the heading of a step, and what it is for."""
        self.blocks += [f"### {title}", text] if text else [f"### {title}"]

    def say(self, text: str) -> None:
        """Write a paragraph or a heading."""
        self.blocks.append(text)

    def text(self) -> str:
        text = "\n\n".join(self.blocks) + "\n"
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return _RANDOM.sub(r"\1...", _SIGNATURE.sub(r"\1...", _ANY_TIME.sub(_TIME, text)))


def _request(
    method: str,
    path: str,
    document: Any,
    content: bytes | None,
    form: Mapping[str, Part] | None,
    headers: Mapping[str, str] | None,
    credential: bool,
) -> str:
    lines = [f"{method} {path}"]
    lines += ["Authorization: Bearer $TOKEN"] if credential else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if document is not None:
        return "\n".join([*lines, "Content-Type: application/json", "", _json(document)])
    if content is not None:
        return "\n".join([*lines, "", _MEDIA])
    if form is not None:
        lines += ["Content-Type: multipart/form-data; boundary=part", ""]
        for name, (file_name, value, media_type) in form.items():
            shown = _MEDIA if isinstance(value, bytes) else value
            called = f'name="{name}"' + (f'; filename="{file_name}"' if file_name else "")
            lines += ["--part", f"Content-Disposition: form-data; {called}", f"Content-Type: {media_type}", "", shown]
        lines.append("--part--")
    return "\n".join(lines)


def _response(response: httpx.Response) -> str:
    lines = [f"{response.status_code} {_NAMES[response.status_code]}"]
    lines += [f"{_titled(name)}: {response.headers[name]}" for name in _SHOWN if name in response.headers]
    if not response.content:
        return "\n".join(lines)
    is_json = "json" in response.headers.get("Content-Type", "")
    return "\n".join([*lines, "", _json(response.json()) if is_json else _MEDIA])


def _titled(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
