"""Finds the stored documents that break today's schemas, by reading all listings as clients read them (F23)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from storage.catalog import Catalog
from storage.catalog.caller import SCOPES, Caller
from storage.catalog.flows.flow_filter import FlowFilter
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.paging import Page, PageRequest
from storage.catalog.segments.segment_filter import SegmentFilter
from storage.catalog.sources import SourceFilter
from tams_server.specification.operations import Operation

_CALLER = Caller("compliance scan", frozenset(SCOPES))
_PAGE = 300
_BY = "created"
_NO_URLS = GetUrlFilter(labels=[])
Select = Callable[[PageRequest], Page]


@dataclass(frozen=True, slots=True)
class _Listing:
    """A listing of one kind. operation: whose response has its items."""

    kind: str
    operation: str
    select: Select


class SchemaScan:
    """checked: how many documents have been checked. position: where to continue, "kind:page key"."""

    def __init__(self, catalog: Catalog, operations: Iterable[Operation]) -> None:
        self._catalog = catalog
        self._operations = {operation.id: operation for operation in operations}
        self.checked = 0
        self.position = ""

    def run(self, position: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield a finding for each document at fault. position: of an earlier scan, to continue there.

        Raises ValueError for a position that is none, and storage.errors.Invalid for a page key that is none.
        """
        listings = self._listings()
        start, _, key = (position or "").partition(":")
        kinds = [listing.kind for listing in listings]
        if position is not None and start not in kinds:
            raise ValueError(f"the position must begin with one of {', '.join(kinds)} and a colon, not be {position!r}")
        for listing in listings[kinds.index(start) if position else 0 :]:
            yield from self._scan(listing, key or None)
            key = ""

    def _listings(self) -> list[_Listing]:
        catalog = self._catalog
        return [
            _Listing("profiles", "GET_profiles", lambda page: catalog.profiles.page({}, page)),
            _Listing("sources", "GET_sources", lambda page: catalog.sources.page(_CALLER, SourceFilter(), _BY, page)),
            _Listing("flows", "GET_flows", lambda page: catalog.flows.page(_CALLER, FlowFilter(), _BY, page)),
        ]

    def _scan(self, listing: _Listing, key: str | None) -> Iterator[dict[str, Any]]:
        while True:
            self.position = f"{listing.kind}:{key or ''}"
            page = listing.select(PageRequest(_PAGE, key))
            yield from self._check(listing.kind, listing.operation, page.items, lambda item: str(item["id"]))
            if listing.kind == "flows":
                for flow in page.items:
                    yield from self._segments(flow["id"])
            key = page.next_key
            if key is None:
                return

    def _segments(self, flow_id: str) -> Iterator[dict[str, Any]]:
        key: str | None = None
        while True:
            request = PageRequest(_PAGE, key)
            page = self._catalog.segments.page(_CALLER, flow_id, SegmentFilter(), request, _NO_URLS, "").page
            yield from self._check(
                "segments", "GET_flows-flowId-segments", page.items, lambda item: f"{flow_id} {item['timerange']}"
            )
            key = page.next_key
            if key is None:
                return

    def _check(
        self, kind: str, operation_id: str, items: list[Any], id_of: Callable[[Any], str]
    ) -> Iterator[dict[str, Any]]:
        operation = self._operations[operation_id]
        validator = operation.responses["200"].body
        assert validator is not None
        self.checked += len(items)
        if validator.is_valid(items):
            return
        for item in items:
            violation = validator.violation([item])
            if violation is not None:
                part = ("responses", "200", "content", "application/json", "schema")
                field = violation.field.partition(".")[2]
                yield {
                    "kind": kind,
                    "id": id_of(item),
                    "field": field,
                    "schema_path": operation.schema_path(part, validator.rule_path(violation)),
                    "message": f"{field or 'the document'}: {violation.text}",
                }
