"""How a table is declared: its columns, its key, and what queries need.

A declaration uses no types of a database library, so that the library of an engine that is not in use is not imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from storage.tables.conditions import Compare

Type = Literal["string", "int64", "bool", "json"]
"""Of a column; "json" holds any JSON value."""


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: Type
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class PresenceFlag:
    """A question that writers ask often: does any row of the declaring table meet `condition`?

    An engine may store the answer beside the rows of the table `read_with`, which those writers lock in any case, and
    so save them a query. It must then keep the stored answer right whenever the declaring table changes.
    """

    name: str
    condition: Compare
    read_with: str


@dataclass(frozen=True, slots=True)
class Listing:
    """How clients list the rows of a table. An SQL database has an index for each filter, in the default order.

    order: the default order; the last column is the key. filters: columns that are compared with one value, together.
    outlined: the rows have an outline (storage.tables.outline) of their content in this table.
    """

    order: tuple[str, ...]
    filters: tuple[tuple[str, ...], ...] = ()
    outlined: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """key: the primary key, in the order by which the table is best sorted.
    indexes: lists of other columns that queries filter and sort by.
    listing: how clients list it. Filters by other columns, or in another order, are for few rows.
    repeats: columns that have the same value as a column of the listed row to which a row belongs, by the name of that.
    span: the columns (owner, start, end) of half-open spans that never overlap within one owner.
    clustered: rows are read in ranges of the key and are best stored in its order.
    presence_flags: questions about the whole table that an engine may answer without a query.
    hashed: columns of the key and of indexes whose text may be too long for an index. An engine with such a limit
    indexes a hash of it, and the order of the key is not that of an index.
    is_later_addition: exports of earlier releases lack the table, which is empty then.
    former: columns that exports of earlier releases have, and tables on VAST may have still. They are ignored.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    listing: Listing | None = None
    repeats: Mapping[str, str] = field(default_factory=dict)
    span: tuple[str, str, str] | None = None
    clustered: bool = False
    presence_flags: tuple[PresenceFlag, ...] = ()
    hashed: tuple[str, ...] = ()
    is_later_addition: bool = False
    former: tuple[str, ...] = ()


_TYPES: dict[Any, Type] = {str: "string", int: "int64", bool: "bool", Any: "json"}


def columns_of(row: type[Any]) -> tuple[Column, ...]:
    """The columns that the typed dict `row` (storage.tables.rows) declares."""
    return tuple(_column(name, hint) for name, hint in get_type_hints(row).items())


def _column(name: str, hint: Any) -> Column:
    kinds = [kind for kind in (get_args(hint) if get_origin(hint) is UnionType else (hint,)) if kind is not NoneType]
    nullable = hint is not kinds[0]
    origin = get_origin(kinds[0])
    if origin is Literal:
        return Column(name, "string", nullable)
    return Column(name, "json" if origin is dict else _TYPES[kinds[0]], nullable)
