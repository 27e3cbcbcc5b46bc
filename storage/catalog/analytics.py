"""Analytics: SQL over the rows of the catalogue that a caller may see (F12).

Queries run in a process apart (storage.analytics.process). Which rows are visible is decided here, by the conditions of
every listing (Caller.visible).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from storage import error_codes
from storage.analytics.process import Answer, QueryRunner
from storage.analytics.questions import QUESTIONS
from storage.analytics.questions.question import Question
from storage.analytics.request import Format, Query
from storage.analytics.views import VERSION, VIEWS
from storage.catalog.access.backends import readable_backends
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.errors import Invalid, NotFound
from storage.tables.conditions import Condition
from storage.tables.transaction import Reader
from storage.waiting import about_to_wait_for_others

_PARAMETER_MAX = 1_000_000
_BATCH = 10_000
_ANSWER_BYTES = 32 * 2**20
"""A process that serves requests holds the whole answer."""


class Analytics:
    """Answers questions about the catalogue.

    rows_max: the most rows of an answer. visible_webhooks: returns the conditions for the webhooks that a caller sees.
    """

    def __init__(
        self,
        env: Environment,
        runner: QueryRunner,
        rows_max: int,
        visible_webhooks: Callable[[Caller], Sequence[Condition]],
    ) -> None:
        self._env = env
        self._runner = runner
        self._rows_max = rows_max
        self._visible_webhooks = visible_webhooks

    def describe(self) -> dict[str, Any]:
        """Return what can be asked: the views with their columns, and the questions with their parameters."""
        return {
            "version": VERSION,
            "views": [
                {
                    "name": view.name,
                    "description": view.about,
                    "columns": [{"name": name, "description": text} for name, text in view.columns.items()],
                }
                for view in VIEWS.values()
            ],
            "questions": [
                {
                    "name": question.name,
                    "description": question.about,
                    "parameters": [
                        {"name": name, "description": each.about, "default": each.default}
                        for name, each in question.parameters.items()
                    ],
                }
                for question in QUESTIONS.values()
            ],
        }

    def view(self, caller: Caller, name: str, rows: int | None, format_: Format) -> Answer:
        """Return rows of a view, in no order. Raises as `sql`, and NotFound for a name of none."""
        if name not in VIEWS:
            raise NotFound(
                f"there is no view {name!r}: there are {', '.join(VIEWS)}", code=error_codes.ANALYTICS_UNKNOWN
            )
        columns = ", ".join(VIEWS[name].columns)
        return self._run(caller, Query(sql=f"SELECT {columns} FROM {name}", rows=self._rows(rows), format=format_))

    def question(
        self, caller: Caller, name: str, values: Mapping[str, int], rows: int | None, format_: Format
    ) -> Answer:
        """Return the answer to a question. values: of its parameters; those left out have their defaults.

        Raises as `sql`, NotFound for a name of none, and Invalid for a parameter that the question has not.
        """
        question = QUESTIONS.get(name)
        if question is None:
            raise NotFound(
                f"there is no question {name!r}: there are {', '.join(QUESTIONS)}", code=error_codes.ANALYTICS_UNKNOWN
            )
        complete = _complete(question, values)
        query = Query(question=name, values=complete, now=self._env.clock(), rows=self._rows(rows), format=format_)
        return self._run(caller, query)

    def sql(self, caller: Caller, sql: str, rows: int | None, format_: Format) -> Answer:
        """Return the answer to a SELECT over the views.

        rows: the most to return; None for as many as the service permits.
        Raises: Invalid; TooExpensive; NotInstalled; Unavailable.
        """
        return self._run(caller, Query(sql=sql, rows=self._rows(rows), format=format_))

    def close(self) -> None:
        self._runner.close()

    def _run(self, caller: Caller, query: Query) -> Answer:
        about_to_wait_for_others("lookup")
        return self._runner.run(replace(query, visible=self._visible(caller), max_bytes=_ANSWER_BYTES))

    def _rows(self, asked: int | None) -> int:
        if asked is not None and not 1 <= asked <= self._rows_max:
            raise Invalid(
                f"limit must be an integer from 1 to {self._rows_max}, not {asked}",
                code=error_codes.ANALYTICS_PARAMETER,
                field="limit",
                behaviour="A90",
            )
        return self._rows_max if asked is None else asked

    def _visible(self, caller: Caller) -> dict[str, list[str]]:
        """The ids that the caller sees, by table; without the tables of which it sees everything."""
        conditions = {
            "flows": caller.visible("flow"),
            "sources": caller.visible("source"),
            "webhooks": self._visible_webhooks(caller),
        }
        limited = {table: where for table, where in conditions.items() if where}
        if not limited:
            return {}
        with self._env.engine.read() as tx:
            found = {table: _ids(tx, table, where) for table, where in limited.items()}
        backends = readable_backends(self._env, caller)
        return found if backends is None else {**found, "backends": sorted(backends)}


def _ids(tx: Reader, table: str, where: Sequence[Condition]) -> list[str]:
    """The ids of the rows of a table that meet `where`, read in batches so that no statement takes long."""
    found: list[str] = []
    after: list[str] | None = None
    while True:
        rows = tx.select(table, where, order=("id",), after=after, limit=_BATCH, columns=["id"])
        found += [row["id"] for row in rows]
        if len(rows) < _BATCH:
            return found
        after = [found[-1]]


def _complete(question: Question, values: Mapping[str, int]) -> dict[str, int]:
    for name, value in values.items():
        if name not in question.parameters:
            having = ", ".join(question.parameters) or "none"
            raise Invalid(
                f"{name} is no parameter of {question.name}, which has {having}",
                code=error_codes.ANALYTICS_PARAMETER,
                field=name,
                behaviour="A90",
            )
        if not 1 <= value <= _PARAMETER_MAX:
            raise Invalid(
                f"{name} must be an integer from 1 to {_PARAMETER_MAX}, not {value}",
                code=error_codes.ANALYTICS_PARAMETER,
                field=name,
                behaviour="A90",
            )
    return {name: values.get(name, each.default) for name, each in question.parameters.items()}
