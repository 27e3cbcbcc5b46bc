"""Requests and responses as data, with the changes that faults make to them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote_plus

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A request. query: percent-encoded."""

    method: str
    path: str
    query: str
    body: bytes

    def has(self, name: str) -> bool:
        return any(_name(pair) == name for pair in self.pairs)

    @property
    def pairs(self) -> list[str]:
        return [pair for pair in self.query.split("&") if pair]

    def with_pairs(self, pairs: list[str]) -> "Request":
        return replace(self, query="&".join(pairs))

    def without(self, *names: str) -> "Request":
        return self.with_pairs([pair for pair in self.pairs if _name(pair) not in names])

    def parameter(self, name: str) -> str:
        """The decoded value of a query parameter, or "" if it is absent."""
        return next((unquote_plus(pair.partition("=")[2]) for pair in self.pairs if _name(pair) == name), "")

    def changed(self, name: str, change: Callable[[str], str]) -> "Request":
        """With the decoded value of this query parameter changed, if it is present."""
        if not self.has(name):
            return self
        return self.without(name).adding(name, change(self.parameter(name)))

    def adding(self, name: str, value: str) -> "Request":
        return self.with_pairs([*self.pairs, f"{quote(name)}={quote(value)}"])

    def with_json(self, change: Callable[[Any], Any]) -> "Request":
        """With a changed JSON body."""
        return replace(self, body=json.dumps(change(json.loads(self.body))).encode())


@dataclass(frozen=True, slots=True)
class Response:
    """A response. headers: with names in lower case."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each == name.lower()), None)

    def without(self, *names: str) -> "Response":
        gone = {name.lower() for name in names}
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0] not in gone))

    def adding(self, name: str, value: str) -> "Response":
        return replace(self, headers=(*self.headers, (name.lower(), value)))

    def setting(self, name: str, value: str) -> "Response":
        """With another value of this header, if it is present."""
        return self if self.header(name) is None else self.without(name).adding(name, value)

    def with_json(self, change: Callable[[Any], Any]) -> "Response":
        """With a changed JSON body. Unchanged if it is an error or has no JSON body."""
        if self.status >= 300 or not self.body or self.header("content-type") != "application/json":
            return self
        return replace(self, body=json.dumps(change(json.loads(self.body))).encode())

    def replaced_by(self, status: int, document: Any = None) -> "Response":
        """With another status and body. document: the new JSON body; None for no body."""
        if document is None:
            return Response(status, self.without("content-type", "content-length").headers, b"")
        typed = self.without("content-type").adding("content-type", "application/json")
        return Response(status, typed.headers, json.dumps(document).encode())


def _name(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])
