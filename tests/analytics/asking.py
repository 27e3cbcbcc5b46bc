"""Asking questions in this process, without a server."""

from collections.abc import Mapping, Sequence
from typing import Any

from storage.analytics.limits import Limits
from storage.analytics.questions import QUESTIONS
from storage.analytics.request import Place, Query
from storage.analytics.run import run_query
from tests.analytics.small_catalogue import NOW

LIMITS = Limits(memory=256 * 2**20, timeout_s=30, rows=1000, threads=1)


def place(url: str, trino: str | None = None) -> Place:
    return Place(url, trino=trino)


def ask(
    where: Place, question: str, visible: Mapping[str, Sequence[str]] | None = None, **values: int
) -> list[dict[str, Any]]:
    """Return the rows of the answer to a question; parameters that are not given have their defaults."""
    defaults = {name: each.default for name, each in QUESTIONS[question].parameters.items()}
    query = Query(question=question, values=defaults | values, now=NOW, visible=visible or {})
    rows: list[dict[str, Any]] = run_query(where, query, LIMITS).table.to_pylist()
    return rows


def ask_sql(where: Place, sql: str, visible: Mapping[str, Sequence[str]] | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = run_query(where, Query(sql=sql, visible=visible or {}), LIMITS).table.to_pylist()
    return rows


__all__ = ["LIMITS", "ask", "ask_sql", "place"]
