"""tams-server query: ask questions about the catalogue, in SQL."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from storage.catalog.clock import clock
from tams_server.cli.catalog_access import require_catalog
from tams_server.cli.output import print_line, print_lines
from tams_server.settings import Loaded, SettingsError

QUERY = """
Answer a question about the catalogue, or run a SELECT over its views. The server may
keep running. Everything is visible. Without arguments, list the questions and views.

  tams-server query usage-by-flow
  tams-server query retention --set days=30 --format csv
  tams-server query "SELECT format, count(*) FROM flows GROUP BY format"

TAMS_ANALYTICS_TRINO_URL has the query run on Trino. --define prints the definitions of
the views for a database of your own.
"""
FORMATS = ("table", "json", "csv", "arrow")
DIALECTS = ("duckdb", "postgres", "trino")


def query(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print the answer to a question or query."""
    if options.define:
        _define(options.define)
        return 0
    if options.query is None:
        _list()
        return 0
    from storage.analytics.process import Answer
    from storage.analytics.questions import QUESTIONS
    from storage.analytics.request import Query
    from tams_server.wiring import query_process

    if loaded.settings.analytics_trino_url is None:
        require_catalog(loaded.settings)
    question = QUESTIONS.get(options.query)
    values = {name: each.default for name, each in question.parameters.items()} if question else {}
    values |= _given(options.set, values)
    rows = options.limit or loaded.settings.analytics_rows
    asked = Query(
        question=options.query if question else None,
        sql=None if question else options.query,
        values=values,
        now=clock(),
        rows=rows,
        format="json" if options.format == "table" else options.format,
    )
    runner = query_process(replace(loaded.settings, analytics_rows=rows))
    try:
        answer: Answer = runner.run(asked)
    finally:
        runner.close()
    _print(answer.body, options.format)
    if answer.truncated:
        print_line(f"there are more rows than these {answer.rows}; --limit shows more", error=True)
    return 0


def _given(assignments: Sequence[str], names: Iterable[str]) -> dict[str, int]:
    """The values of --set. Raises SettingsError for a name that the question has not, or a value that is no number."""
    found = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        if name not in names or not value.isdecimal() or int(value) < 1:
            known = ", ".join(names) or "no parameters"
            raise SettingsError([f"--set {assignment}: must be NAME=NUMBER, and there are {known}"])
        found[name] = int(value)
    return found


def _print(body: bytes, format_: str) -> None:
    if format_ == "table":
        document = json.loads(body)
        names = [column["name"] for column in document["columns"]]
        _print_table(names, [[_shown(row[name]) for name in names] for row in document["rows"]])
    elif format_ == "arrow":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    else:
        print_lines(body.decode().replace("\r\n", "\n").rstrip("\n"))


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _print_table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, ["-" * width for width in widths], *rows):
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _list() -> None:
    from storage.analytics.questions import QUESTIONS
    from storage.analytics.views import VIEWS

    print_line("Questions:")
    for question in QUESTIONS.values():
        print_line(f"  {question.name:22}{question.about}")
        for name, parameter in question.parameters.items():
            print_line(f"  {'':22}  --set {name}={parameter.default}: {parameter.about}")
    print_line("Views:")
    for view in VIEWS.values():
        print_line(f"  {view.name:22}{', '.join(view.columns)}")


def _define(dialect: str) -> None:
    """Print a CREATE VIEW for each view, over tables that the connection finds by their plain names."""
    from sqlglot import exp

    from storage.analytics.dialect import view_sql
    from storage.analytics.views import VERSION, VIEWS

    print_line(f"-- Views of analytics, version {VERSION}, over the tables of the catalogue in the schema public.")
    print_line(f"CREATE SCHEMA IF NOT EXISTS analytics_v{VERSION};")
    for view in VIEWS.values():
        # typing: the dialects are the choices of the option
        sql = view_sql(view.name, dialect, lambda _schema, table: exp.table_(table, db="public"))  # type: ignore[arg-type]
        print_lines(f"CREATE OR REPLACE VIEW analytics_v{VERSION}.{view.name} AS\n{sql};")
