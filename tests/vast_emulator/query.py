"""Selecting rows: what the SDK asks for (a flatbuffer of Arrow's compute IR), and the frames in which it gets it."""

import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from vastdb import _internal as sdk
from vastdb.vast_flatbuf.org.apache.arrow.computeir.flatbuf import (
    BinaryLiteral,
    BooleanLiteral,
    Call,
    DecimalLiteral,
    FieldIndex,
    FieldRef,
    Float32Literal,
    Float64Literal,
    Int8Literal,
    Int16Literal,
    Int32Literal,
    Int64Literal,
    Literal,
    LiteralImpl,
    Relation,
    Source,
    StringLiteral,
    UInt8Literal,
    UInt16Literal,
    UInt32Literal,
    UInt64Literal,
)

from tests.vast_emulator.errors import Refusal
from tests.vast_emulator.store import Table, Transaction, widened

ROW_ID = sdk.INTERNAL_ROW_ID
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_COMPLETED = struct.pack("<L", sdk.TABULAR_QUERY_DATA_COMPLETED_STREAM_ID)
_NO_MORE = sdk.TABULAR_INVALID_ROW_ID
_SHUFFLE = 0x9E3779B97F4A7C15
_GROUP_BITS = 16
"""A split deals out groups of 64 Ki rows."""

_LITERALS = {
    getattr(LiteralImpl.LiteralImpl, module.__name__.rpartition(".")[2]): getattr(
        module, module.__name__.rpartition(".")[2]
    )
    for module in (
        *(Int8Literal, Int16Literal, Int32Literal, Int64Literal, UInt8Literal, UInt16Literal, UInt32Literal),
        *(UInt64Literal, Float32Literal, Float64Literal, BooleanLiteral, StringLiteral, DecimalLiteral, BinaryLiteral),
    )
}
_COMPARISONS = {
    "equal": pc.equal,
    "not_equal": pc.not_equal,
    "less": pc.less,
    "less_equal": pc.less_equal,
    "greater": pc.greater,
    "greater_equal": pc.greater_equal,
}


@dataclass(frozen=True)
class Term:
    """One column compared with literals, any of which may fit. A range is two comparisons that must both hold."""

    column: str
    alternatives: list[list[tuple[str, Any]]]

    def mask(self, column: pa.Array) -> np.ndarray:
        if len(self.alternatives) > 1 and all(len(a) == 1 and a[0][0] == "equal" for a in self.alternatives):
            values = pa.array([a[0][1] for a in self.alternatives], column.type)
            return _bools(pc.is_in(column, value_set=values))
        masks = [
            np.logical_and.reduce([_compare(column, name, value) for name, value in alternative])
            for alternative in self.alternatives
        ]
        return np.logical_or.reduce(masks)


def _bools(array: pa.Array) -> np.ndarray:
    return pc.fill_null(array, False).to_numpy(zero_copy_only=False)


def _compare(column: pa.Array, name: str, value: Any) -> np.ndarray:
    if name in ("is_null", "is_valid"):
        return getattr(column, name)().to_numpy(zero_copy_only=False)
    if name == "match_substring":
        return _bools(pc.match_substring(column, value))
    return _bools(_COMPARISONS[name](column, pa.scalar(value, column.type)))


@dataclass(frozen=True)
class Query:
    """fields: what is wanted, of which one may be the row id. terms: all of which must hold."""

    fields: list[pa.Field]
    terms: list[Term]


def _at(module: Any, table: Any) -> Any:
    """The flatbuffer table `table`, read as the class that `module` is named for."""
    found = getattr(module, module.__name__.rpartition(".")[2])()
    found.Init(table.Bytes, table.Pos)
    return found


def _literal(expression: Any) -> Any:
    literal = _at(Literal, expression.Impl())
    kind = _LITERALS.get(literal.ImplType())
    if kind is None:
        raise Refusal(501, "NotImplemented", f"literals of type {literal.ImplType()}")
    value = kind()
    value.Init(literal.Impl().Bytes, literal.Impl().Pos)
    if kind in (BinaryLiteral.BinaryLiteral, DecimalLiteral.DecimalLiteral):
        raw = bytes(value.Value(i) for i in range(value.ValueLength()))
        return int.from_bytes(raw, "little", signed=True) if kind is DecimalLiteral.DecimalLiteral else raw
    found = value.Value()
    return found.decode() if isinstance(found, bytes) else found


def _arguments(expression: Any) -> tuple[str, list[Any]]:
    call = _at(Call, expression.Impl())
    return call.Name().decode(), [call.Arguments(i) for i in range(call.ArgumentsLength())]


def _comparisons(expression: Any, columns: dict[int, str]) -> tuple[str, list[tuple[str, Any]]]:
    name, arguments = _arguments(expression)
    if name == "and":
        parts = [_comparisons(argument, columns) for argument in arguments]
        return parts[0][0], [each for _, comparisons in parts for each in comparisons]
    position = _at(FieldIndex, _at(FieldRef, arguments[0].Impl()).Ref()).Position()
    return columns[position], [(name, _literal(arguments[1]) if len(arguments) > 1 else None)]


def _terms(filter_: Any, columns: dict[int, str]) -> Iterator[Term]:
    _, conjuncts = _arguments(filter_)
    for conjunct in conjuncts:
        _, disjuncts = _arguments(conjunct)
        alternatives = [_comparisons(disjunct, columns) for disjunct in disjuncts]
        if len({column for column, _ in alternatives}) != 1:
            raise Refusal(501, "NotImplemented", "alternatives on several columns")
        yield Term(alternatives[0][0], [comparisons for _, comparisons in alternatives])


def parse(body: bytes, table: Table) -> Query:
    """What a request for rows asks. Columns are addressed by position in the schema that the request carries."""
    source = _at(Source, Relation.Relation.GetRootAs(body).Impl())
    sent = source.Schema()
    fields = {}
    for i in range(sent.FieldsLength()):
        name = sent.Fields(i).Name().decode()
        fields[name] = pa.field(name, table.id_type) if name == ROW_ID else table.schema.field(name)
    positions = itertools.count()
    nodes = [sdk.FieldNode(field, positions) for field in fields.values()]
    columns = {leaf.index: node.field.name for node in nodes for leaf in node._iter_nodes()}
    wanted = dict.fromkeys(columns[source.Projection(i).Position()] for i in range(source.ProjectionLength()))
    return Query([fields[name] for name in wanted], list(_terms(source.Filter(), columns)))


@dataclass
class Selected:
    """What a query gave. examined: rows that had to be looked at, of a sorted table those in a range of its key."""

    body: bytes
    returned: int
    examined: int


class Selection:
    """The rows of a table that a query chooses, in an order that is shuffled, yet the same when the query goes on."""

    def __init__(self, tx: Transaction, table: Table, query: Query, seed: int | None) -> None:
        self._query = query
        self.examined = 0
        batches, ids = [], [np.zeros(0, np.int64)]
        names = [field.name for field in query.fields if field.name != ROW_ID]
        for block, visible in tx.visible(table.rows):
            if not visible.any():
                continue
            batch = widened(block.batch, table.schema)
            mask = visible & self._mask(batch, visible, table.sort)
            if mask.any():
                at = np.flatnonzero(mask)
                batches.append(batch.select(names).take(pa.array(at)))
                ids.append(block.ids[at])
        self.ids = np.concatenate(ids)
        plain = pa.schema([table.schema.field(name) for name in names])
        self.rows = pa.Table.from_batches(batches, None if batches else plain)
        hashed = self.ids.astype(np.uint64)
        if seed is not None:
            hashed = (hashed * np.uint64(_SHUFFLE) + np.uint64(seed)) >> np.uint64(17)
        self.places = hashed.astype(np.int64)
        self.groups = self.places if seed is not None else self.ids >> _GROUP_BITS

    def _mask(self, batch: pa.RecordBatch, visible: np.ndarray, sort: tuple[str, ...]) -> np.ndarray:
        masks: dict[str, np.ndarray] = {}
        for term in self._query.terms:
            mask = term.mask(batch[term.column])
            masks[term.column] = masks[term.column] & mask if term.column in masks else mask
        in_range = visible.copy()
        for column in sort:
            if column not in masks:
                break
            in_range &= masks[column]
            if not all(a[0][0] == "equal" for t in self._query.terms if t.column == column for a in t.alternatives):
                break
        self.examined += int(in_range.sum())
        return np.logical_and.reduce([np.ones(len(visible), bool), *masks.values()])

    def frames(self, chosen: np.ndarray, subsplit: int, start: int, limit: int) -> tuple[bytes, int]:
        """One sub-split's rows from place `start` on, at most `limit` of them, and how many they are."""
        chosen = chosen[self.places[chosen] >= start]
        chosen = chosen[np.argsort(self.places[chosen], kind="stable")]
        following = int(self.places[chosen[limit]]) if len(chosen) > limit else _NO_MORE
        if start == _NO_MORE:
            chosen = chosen[:0]
        chosen = chosen[:limit]
        head = struct.pack("<LQ", subsplit, following)
        rows = self.rows.take(pa.array(chosen)).combine_chunks()
        parts = []
        for field in self._query.fields:
            if field.name == ROW_ID:
                array = pa.array(self.ids[chosen]).cast(field.type)
            else:
                array = pa.concat_arrays(rows[field.name].chunks) if len(chosen) else pa.array([], field.type)
            parts.append(_framed(head, pa.record_batch([array], schema=pa.schema([field]))))
        if not parts:  # Only the number of rows is wanted.
            counted = pa.record_batch([pa.nulls(len(chosen))], names=["n"]).select([])
            parts.append(_framed(head, counted))
        return b"".join(parts), len(chosen)


def _framed(head: bytes, batch: pa.RecordBatch) -> bytes:
    """One column as a complete Arrow stream, each message of it behind a frame's head."""
    schema, rows = batch.schema.serialize().to_pybytes(), batch.serialize().to_pybytes()
    return head + schema + head + rows + head + END_OF_STREAM


def select(tx: Transaction, table: Table, body: bytes, headers: Any, seed: int | None) -> Selected:
    """Response one request for rows. seed: of the shuffle; None for the order of insertion."""
    split, splits, _ = map(int, headers["tabular-split"].split(","))
    if split >= splits:  # The size of a sorted table is asked for, in groups of rows: few.
        return Selected(_COMPLETED, 0, 0)
    selection = Selection(tx, table, parse(body, table), seed)
    subsplits = int(headers["tabular-num-of-subsplits"])
    limit = int(headers.get("tabular-limit-rows") or _NO_MORE)
    mine = selection.groups % splits == split
    parts, returned = [], 0
    for subsplit in range(subsplits):
        _, start = (headers.get(f"tabular-start-row-id-{subsplit}") or f"{subsplit},0").split(",")
        chosen = np.flatnonzero(mine & (selection.groups // splits % subsplits == subsplit))
        part, count = selection.frames(chosen, subsplit, int(start), limit)
        parts.append(part)
        returned += count
    if seed is not None:
        parts.reverse()
    return Selected(b"".join(parts) + _COMPLETED, returned, selection.examined)
