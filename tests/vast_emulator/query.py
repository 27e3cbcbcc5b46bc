"""Queries: parse them (a flatbuffer of Arrow's compute IR), select rows, and encode these in frames."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

from tests.vast_emulator.errors import Rejection
from tests.vast_emulator.store import Table, Transaction
from tests.vast_emulator.versions import Ids, Mask, with_columns

ROW_ID = "$row_id"
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"
_COMPLETED = struct.pack("<L", 0xFFFFFFFE)
"""The stream id that ends a response."""
_NO_MORE = 0xFFFFFFFFFFFF
"""The next row id of a sub-split that has no more rows."""
_SHUFFLE = 0x9E3779B97F4A7C15
_GROUP_BITS = 16
"""Splits divide a table into groups of 64 Ki rows."""

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
    """One column compared with literals.

    alternatives: at least one must hold. Each is a list of comparisons that must all hold, such as the two of a range.
    """

    column: str
    alternatives: list[list[tuple[str, Any]]]

    @property
    def is_equality(self) -> bool:
        return all(len(each) == 1 and each[0][0] == "equal" for each in self.alternatives)

    def mask(self, column: pa.Array) -> Mask:
        if len(self.alternatives) > 1 and self.is_equality:
            values = pa.array([a[0][1] for a in self.alternatives], column.type)
            return _bools(pc.is_in(column, value_set=values))
        masks = [
            np.logical_and.reduce([_compare(column, name, value) for name, value in alternative])
            for alternative in self.alternatives
        ]
        found: Mask = np.logical_or.reduce(masks)
        return found


def _bools(array: pa.Array) -> Mask:
    mask: Mask = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return mask


def _compare(column: pa.Array, name: str, value: Any) -> Mask:
    if name in ("is_null", "is_valid"):
        return _bools(getattr(column, name)())
    if name == "match_substring":
        return _bools(pc.match_substring(column, value))
    return _bools(_COMPARISONS[name](column, pa.scalar(value, column.type)))


@dataclass(frozen=True)
class Query:
    """fields: the selected columns, which may include the row id. terms: all of them must hold."""

    fields: list[pa.Field]
    terms: list[Term]


def _at(module: Any, table: Any) -> Any:
    """The flatbuffer `table` as an instance of the class that is named like its `module`."""
    found = getattr(module, module.__name__.rpartition(".")[2])()
    found.Init(table.Bytes, table.Pos)
    return found


def _literal(expression: Any) -> Any:
    literal = _at(Literal, expression.Impl())
    kind = _LITERALS.get(literal.ImplType())
    if kind is None:
        raise Rejection(501, "NotImplemented", f"literals of type {literal.ImplType()}")
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
            raise Rejection(501, "NotImplemented", "alternatives on several columns")
        yield Term(alternatives[0][0], [comparisons for _, comparisons in alternatives])


def parse(body: bytes, table: Table) -> Query:
    """Parse the body of a query. It refers to columns by their position in the schema that it carries.

    Raises Rejection for nested columns, whose members have positions of their own.
    """
    source = _at(Source, Relation.Relation.GetRootAs(body).Impl())
    sent = source.Schema()
    fields = {}
    for i in range(sent.FieldsLength()):
        name = sent.Fields(i).Name().decode()
        fields[name] = pa.field(name, table.id_type) if name == ROW_ID else table.schema.field(name)
        if pa.types.is_nested(fields[name].type):
            raise Rejection(501, "NotImplemented", f"column {name} of type {fields[name].type}")
    columns = dict(enumerate(fields))
    selected = dict.fromkeys(columns[source.Projection(i).Position()] for i in range(source.ProjectionLength()))
    return Query([fields[name] for name in selected], list(_terms(source.Filter(), columns)))


@dataclass
class QueryResult:
    """body: of the response. returned: number of rows in it. examined: number of rows that a cluster would have to
    read, which in a sorted table are those in a range of its key."""

    body: bytes
    returned: int
    examined: int


class Selection:
    """The rows that a query selects, in a shuffled order that stays the same from one page to the next."""

    def __init__(self, tx: Transaction, table: Table, query: Query, seed: int | None) -> None:
        self._query = query
        self.examined = 0
        batches, ids = [], [np.zeros(0, np.int64)]
        names = [field.name for field in query.fields if field.name != ROW_ID]
        for block, visible in tx.visible(table.rows):
            if not visible.any():
                continue
            batch = with_columns(block.batch, table.schema)
            mask = visible & self._mask(batch, visible, table.sorting_key)
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

    def _mask(self, batch: pa.RecordBatch, visible: Mask, sorting_key: tuple[str, ...]) -> Mask:
        masks: dict[str, Mask] = {}
        for term in self._query.terms:
            mask = term.mask(batch[term.column])
            masks[term.column] = masks[term.column] & mask if term.column in masks else mask
        in_range = visible.copy()
        for column in sorting_key:
            if column not in masks:
                break
            in_range &= masks[column]
            if not all(term.is_equality for term in self._query.terms if term.column == column):
                break
        self.examined += int(in_range.sum())
        found: Mask = np.logical_and.reduce([np.ones(len(visible), bool), *masks.values()])
        return found

    def frames(self, chosen: Ids, subsplit: int, start: int, limit: int) -> tuple[bytes, int]:
        """The encoded rows of one sub-split from place `start` on, at most `limit`, and their number."""
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
        if not parts:  # A query without columns, for the number of rows.
            counted = pa.record_batch([pa.nulls(len(chosen))], names=["n"]).select([])
            parts.append(_framed(head, counted))
        return b"".join(parts), len(chosen)


def _framed(head: bytes, batch: pa.RecordBatch) -> bytes:
    """One column as a complete Arrow stream, with the head of a frame before each message."""
    schema: bytes = batch.schema.serialize().to_pybytes()
    rows: bytes = batch.serialize().to_pybytes()
    return head + schema + head + rows + head + END_OF_STREAM


def select(tx: Transaction, table: Table, body: bytes, headers: Message, seed: int | None) -> QueryResult:
    """Carry out one query request. seed: of the shuffle; None for the order of insertion."""
    split, splits, _ = map(int, headers["tabular-split"].split(","))
    if split >= splits:  # A request for the size of a sorted table, in groups of rows; it may be empty.
        return QueryResult(_COMPLETED, 0, 0)
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
    return QueryResult(b"".join(parts) + _COMPLETED, returned, selection.examined)
