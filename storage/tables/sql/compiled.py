"""Statements in the text of a database, with what turns values into their parameters and results into rows.

SQLAlchemy makes the text; building and compiling it takes it much longer than the database takes to run it.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import sqlalchemy as sa

from storage.errors import Unavailable
from storage.tables.limits import LONG_COLUMNS
from storage.tables.sql.tables import load_json
from storage.tables.transaction import Row

_log = logging.getLogger(__name__)

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement.

    positions: for each parameter in the text, the position of its value among the values of the shape, followed by
    `constants`; None if the values are the parameters. conversions: by position, for values that the driver does not
    take as they are. results: by column, for values that the driver does not return as they should be. long: the
    positions of columns whose values can be long.
    """

    sql: str
    positions: tuple[int, ...] | None
    constants: tuple[Any, ...]
    conversions: tuple[tuple[int, Convert], ...]
    names: tuple[str, ...] = ()
    results: tuple[tuple[str, Convert], ...] = ()
    long: tuple[int, ...] = ()

    def parameters(self, values: list[Any]) -> list[Any]:
        """The parameters in the order of the text, for these values, which are changed in place."""
        for position, convert in self.conversions:
            values[position] = convert(values[position])
        if self.positions is None:
            return values
        values += self.constants
        return [values[position] for position in self.positions]

    def rows(self, found: Sequence[Sequence[Any]]) -> list[Row]:
        """The rows that the driver returned, as dicts. Raises Unavailable for a document that is none."""
        # Without Python code for each row, of which a page has hundreds.
        rows: list[Row] = list(map(dict, map(zip, repeat(self.names), found)))
        try:
            for name, convert in self.results:
                for row in rows:
                    row[name] = convert(row[name])
        except ValueError as error:
            _log.error("catalogue: a document cannot be read (%s); run `tams-server check`, restore a backup", error)
            raise Unavailable("the catalogue is damaged: a document in it cannot be read") from error
        return rows


def compile_statement(made: Any, parameters: Sequence[sa.BindParameter[Any]], dialect: sa.Dialect) -> Statement:
    """Compile a statement. parameters: those in it, in the order of the values."""
    text = made.compile(dialect=dialect)
    places = {parameter.key: place for place, parameter in enumerate(parameters)}
    constants: list[Any] = []
    positions: list[int] = []
    for name in text.positiontup:
        if name not in places:  # A literal of SQLAlchemy's own, such as OFFSET 0.
            places[name] = len(parameters) + len(constants)
            constants.append(text.params[name])
        positions.append(places[name])
    conversions = [(place, _bind_processor(each.type, dialect)) for place, each in enumerate(parameters)]
    chosen: list[Any] = list(made.selected_columns) if isinstance(made, sa.SelectBase) else []
    results = [(column.name, _result_processor(column.type, dialect)) for column in chosen]
    return Statement(
        str(text),
        None if positions == list(range(len(parameters))) else tuple(positions),
        tuple(constants),
        tuple((place, convert) for place, convert in conversions if convert is not None),
        tuple(column.name for column in chosen),
        tuple((name, convert) for name, convert in results if convert is not None),
        tuple(place for place, column in enumerate(chosen) if column.name in LONG_COLUMNS.get(column.table.name, ())),
    )


def _bind_processor(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Convert | None:
    return type_.dialect_impl(dialect).bind_processor(dialect)


def _result_processor(type_: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Convert | None:
    process = type_.dialect_impl(dialect).result_processor(dialect, None)
    # That of a document would call the same function, by way of two others.
    return process if process is None or not isinstance(type_, sa.JSON) else load_json
