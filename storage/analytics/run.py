"""Runs one query, on DuckDB over the catalogue or on Trino."""

from pathlib import Path

from sqlglot import exp

from storage.analytics.dialect import build_statement, parse_query, parse_question
from storage.analytics.limits import Limits
from storage.analytics.questions import QUESTIONS
from storage.analytics.request import Place, Query
from storage.analytics.result import Result
from storage.errors import Invalid
from storage.tai import tai_of_unix


def run_query(place: Place, query: Query, limits: Limits) -> Result:
    """Return the rows of a query.

    Raises: storage.errors.Invalid for SQL that is rejected; TooExpensive; storage.errors.Unavailable.
    """
    if query.question is None:
        return _run(place, parse_query(query.sql or ""), query, limits)
    values = {"now": query.now, "tai_ns": tai_of_unix(query.now * 1000), **query.values}
    question = parse_question(QUESTIONS[query.question].sql, values)
    try:
        return _run(place, question, query, limits)
    except Invalid as error:
        raise RuntimeError(f"the question {query.question} cannot be asked: {error.message}") from error


def _run(place: Place, parsed: exp.Expression, query: Query, limits: Limits) -> Result:
    if place.trino is not None:
        from storage.analytics.trino import run_on_trino

        return run_on_trino(place.trino, parsed, limits, query.visible)

    from storage.analytics.arrow_readers import open_snapshot
    from storage.analytics.embedded import run_embedded

    statement = build_statement(parsed, "duckdb", restricted=query.visible.keys())
    database = Path(place.database) if place.is_file else place.database
    with open_snapshot(
        database, timeout_s=limits.timeout_s, vast_secret=place.vast_secret, file_id=place.file_id
    ) as snapshot:
        return run_embedded(snapshot, statement, limits, query.visible)
