"""Responses encoded as flatbuffers: listings and statistics."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
from vastdb.vast_flatbuf.tabular import (
    GetTableStatsResponse,
    ListProjectionsResponse,
    ListSchemasResponse,
    ListTablesResponse,
    ObjectDetails,
    VipRange,
)


@dataclass(frozen=True)
class Entry:
    """One schema, table or projection in a listing."""

    name: str
    handle: int = 0
    rows: int = 0
    is_sorted: bool = False


def _vector(builder: Any, start: Any, items: Sequence[Any]) -> Any:
    start(builder, len(items))
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def _listing(module: Any, kind: str, entries: Sequence[Entry], **names: str) -> bytes:
    builder = flatbuffers.Builder(1024)
    items = []
    for entry in entries:
        name, nothing, handle = map(builder.CreateString, (entry.name, "", str(entry.handle)))
        ObjectDetails.Start(builder)
        ObjectDetails.AddName(builder, name)
        ObjectDetails.AddProperties(builder, nothing)
        ObjectDetails.AddHandle(builder, handle)
        ObjectDetails.AddNumRows(builder, entry.rows)
        ObjectDetails.AddSortingKeyEnabled(builder, entry.is_sorted)
        items.append(ObjectDetails.End(builder))
    vector = _vector(builder, getattr(module, f"Start{kind}Vector"), items)
    texts = {name: builder.CreateString(text) for name, text in names.items()}
    module.Start(builder)
    for name, text in texts.items():
        getattr(module, f"Add{name}")(builder, text)
    getattr(module, f"Add{kind}")(builder, vector)
    builder.Finish(module.End(builder))
    return bytes(builder.Output())


def schemas(bucket: str, entries: Sequence[Entry]) -> bytes:
    return _listing(ListSchemasResponse, "Schemas", entries, BucketName=bucket)


def tables(bucket: str, schema: str, entries: Sequence[Entry]) -> bytes:
    return _listing(ListTablesResponse, "Tables", entries, BucketName=bucket, SchemaName=schema)


def projections(bucket: str, schema: str, table: str, entries: Sequence[Entry]) -> bytes:
    names = {"BucketName": bucket, "SchemaName": schema, "TableName": table}
    return _listing(ListProjectionsResponse, "Projections", entries, **names)


def stats(rows: int, *, is_sorted: bool) -> bytes:
    """Statistics of a table, including the only address that serves its data."""
    builder = flatbuffers.Builder(256)
    address, kind = builder.CreateString("127.0.0.1"), builder.CreateString("ipv4")
    VipRange.Start(builder)
    VipRange.AddStartAddress(builder, address)
    VipRange.AddAddressCount(builder, 1)
    addresses = _vector(builder, GetTableStatsResponse.StartVipsVector, [VipRange.End(builder)])
    GetTableStatsResponse.Start(builder)
    GetTableStatsResponse.AddNumRows(builder, rows)
    GetTableStatsResponse.AddAddressType(builder, kind)
    GetTableStatsResponse.AddVips(builder, addresses)
    GetTableStatsResponse.AddSortingKeyEnabled(builder, is_sorted)
    builder.Finish(GetTableStatsResponse.End(builder))
    return bytes(builder.Output())
