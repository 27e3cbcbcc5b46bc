"""The probe of what only a cluster can tell of itself."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from vastdb import errors

from storage.errors import Contended, TamsError
from storage.tables.conditions import Compare, In
from storage.tables.engine import Row
from storage.tables.schema import Column, Table
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.cluster_errors import UnknownOutcome
from storage.tables.vast.engine import VastEngine
from storage.tables.vast.layout import CELL_BYTES, ROW_ID, Form
from storage.tables.vast.predicates import IN_LIST
from storage.tables.vast.query import NoDirectAnswer


@dataclass(frozen=True, slots=True)
class Finding:
    """One assumption about a cluster. needed: without it, no more than one process may write.

    fact: what was seen, in words.
    """

    name: str
    holds: bool
    needed: bool
    fact: str


def allow_several_writers(findings: list[Finding]) -> bool:
    """Whether the cluster keeps writers apart as the engine needs it."""
    return all(finding.holds for finding in findings if finding.needed)


_PLAIN = Form(
    Table("probe", (Column("slot", "int64"), Column("text", "string")), key=("slot",)),
)
_SORTED = Form(
    Table("probe_sorted", (Column("slot", "int64"), Column("text", "string")), key=("slot",), clustered=True),
)


def probe(engine: VastEngine) -> list[Finding]:
    """Try what the engine relies on, with two small tables that are made and dropped again in the engine's schema.

    Raises Unavailable where the cluster cannot be reached.
    """
    with _tables(engine.cluster):
        tried = _Probe(engine.cluster)
        return [
            tried.conflict(_PLAIN),
            tried.conflict(_SORTED),
            tried.stale(_PLAIN),
            tried.stale(_SORTED),
            tried.snapshot(),
            tried.own_writes(),
            tried.direct(_PLAIN),
            tried.direct(_SORTED),
            tried.at_once(),
            tried.row_ids(_PLAIN),
            tried.row_ids(_SORTED),
            tried.given_up(),
            tried.cell(),
            tried.list_of_values(),
        ]


@contextmanager
def _tables(cluster: Cluster) -> Iterator[None]:
    forms = (_PLAIN, _SORTED)

    def drop() -> None:
        with cluster.defining() as schema:
            for form in forms:
                if form.name in schema.tablenames():
                    schema.table(form.name).drop()

    drop()
    with cluster.defining() as schema:
        for form in forms:
            schema.create_table(form.name, form.schema, sorting_key=list(form.sort))
            cluster.describe(form)
    try:
        yield
    finally:
        drop()


_COMMITS = 40
_SET_DIRECT_NO = "; set ?direct=no"
_REFUSALS = (TamsError, UnknownOutcome, errors.HttpError)
_NO_ANSWER = (*_REFUSALS, NoDirectAnswer)


def _kind(form: Form) -> str:
    return "sorted" if form.sort else "plain"


def _number(text: str | None) -> int:
    """The number of the commit that wrote this; -1 for what was there before, -2 where there is no row."""
    return -2 if text is None else -1 if text == "first" else int(text)


class _Probe:
    """Each method tries one thing, on a row of its own."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rows = 0

    def _new_row(self, form: Form) -> int:
        self._rows += 1
        tx = self._cluster.begin()
        batch = pa.record_batch([pa.array([self._rows]), pa.array(["first"])], schema=form.schema)
        self._cluster.insert(tx, form, batch)
        self._cluster.commit(tx)
        return self._rows

    def _read(self, tx: int, form: Form, slot: int) -> Row:
        rows = form.rows(self._cluster.select(tx, form, [Compare("slot", "==", slot)], ["text", ROW_ID], None))
        return rows[0] if rows else {"text": None, ROW_ID: None}

    def _write(self, tx: int, form: Form, row: Row, text: str) -> None:
        values = pa.record_batch([pa.array([text])], names=["text"])
        self._cluster.update(tx, form, form.row_ids([row[ROW_ID]]), values)

    def _text(self, form: Form, slot: int) -> str | None:
        tx = self._cluster.begin()
        text: str | None = self._read(tx, form, slot)["text"]
        self._cluster.rollback(tx)
        return text

    def conflict(self, form: Form) -> Finding:
        """Of two transactions that update one row, one must lose."""
        slot = self._new_row(form)
        one, two = self._cluster.begin(), self._cluster.begin()
        for tx in (one, two):
            self._read(tx, form, slot)
        self._write(one, form, self._read(one, form, slot), "one")
        lost: list[str] = []
        try:
            self._write(two, form, self._read(two, form, slot), "two")
        except Contended:
            lost.append("the second, at its update")
            self._cluster.rollback(two)
        for name, tx in (("first", one), ("second", two)):
            if lost and tx is two:
                continue
            try:
                self._cluster.commit(tx)
            except Contended:
                lost.append(f"the {name}, at its commit")
            except UnknownOutcome:
                lost.append(f"the {name}, with an outage at its commit")
        fact = f"{' and '.join(lost) or 'neither'} lost; the row says {self._text(form, slot)!r}"
        return Finding(f"two updates of one row of a {_kind(form)} table", len(lost) == 1, needed=True, fact=fact)

    def stale(self, form: Form) -> Finding:
        """A row must not be changed on the strength of what it was before another transaction changed it."""
        slot = self._new_row(form)
        early, late = self._cluster.begin(), self._cluster.begin()
        seen = self._read(early, form, slot)
        self._write(late, form, self._read(late, form, slot), "late")
        self._cluster.commit(late)
        where = ""
        try:
            self._write(early, form, seen, "early")
            where = "commit"
            self._cluster.commit(early)
            where = "taken"
        except (Contended, UnknownOutcome):
            self._cluster.rollback(early)
        how = {"": "refused at the update", "commit": "refused at the commit", "taken": "taken"}[where]
        text = self._text(form, slot)
        fact = f"{how}; the row says {text!r}"
        holds = where != "taken" and text == "late"
        return Finding(
            f"a change of a row of a {_kind(form)} table that was read too early", holds, needed=True, fact=fact
        )

    def snapshot(self) -> Finding:
        """What is committed after a transaction has begun must not show in it, or it would miss conflicts it saw."""
        slot = self._new_row(_PLAIN)
        reader, writer = self._cluster.begin(), self._cluster.begin()
        first = self._read(reader, _PLAIN, slot)["text"]
        self._write(writer, _PLAIN, self._read(writer, _PLAIN, slot), "later")
        self._cluster.commit(writer)
        second = self._read(reader, _PLAIN, slot)["text"]
        self._cluster.rollback(reader)
        seen = self._text(_PLAIN, slot)
        fact = f"an open transaction read {first!r} and then {second!r}; a new one {seen!r}"
        return Finding("a transaction sees one moment", first == second and seen == "later", needed=False, fact=fact)

    def own_writes(self) -> Finding:
        slot = self._new_row(_PLAIN)
        tx = self._cluster.begin()
        self._write(tx, _PLAIN, self._read(tx, _PLAIN, slot), "mine")
        seen, others = self._read(tx, _PLAIN, slot)["text"], self._text(_PLAIN, slot)
        self._cluster.rollback(tx)
        after = self._text(_PLAIN, slot)
        holds = (seen, others, after) == ("mine", "first", "first")
        fact = f"the writer read {seen!r}, others {others!r}, and after a rollback {after!r}"
        return Finding("a writer sees its own changes, and others do not", holds, needed=True, fact=fact)

    def direct(self, form: Form) -> Finding:
        """What is read without a transaction must be what is committed, and nothing else."""
        name = f"reads of a {_kind(form)} table without a transaction"
        slot = self._new_row(form)
        tx = self._cluster.begin()
        self._write(tx, form, self._read(tx, form, slot), "later")
        try:
            before = self._read_directly(form, slot)
            self._cluster.commit(tx)
            after = self._read_directly(form, slot)
        except _NO_ANSWER as error:
            self._cluster.rollback(tx)
            return Finding(name, holds=False, needed=False, fact=f"refused, so that each takes a transaction: {error}")
        holds = (before, after) == ("first", "later")
        fact = f"{before!r} before a commit and {after!r} after it{'' if holds else _SET_DIRECT_NO}"
        return Finding(name, holds, needed=False, fact=fact)

    def at_once(self) -> Finding:
        """What a commit writes to two tables must show in both at once: of two reads the later one never sees less."""
        name = "a commit shows in all tables at once"
        forms = {form: self._new_row(form) for form in (_PLAIN, _SORTED)}
        ended = threading.Event()

        def write() -> None:
            for number in range(_COMMITS):
                tx = self._cluster.begin()
                for form, slot in forms.items():
                    self._write(tx, form, self._read(tx, form, slot), str(number))
                self._cluster.commit(tx)

        pairs: list[tuple[int, int]] = []
        try:
            with ThreadPoolExecutor(1) as pool:
                writing = pool.submit(write)
                writing.add_done_callback(lambda _: ended.set())
                while not ended.is_set():
                    order = (_PLAIN, _SORTED) if len(pairs) % 2 else (_SORTED, _PLAIN)
                    one, two = (self._read_directly(form, forms[form]) for form in order)
                    pairs.append((_number(one), _number(two)))
                writing.result()
        except _NO_ANSWER as error:
            return Finding(name, holds=False, needed=False, fact=f"not tried, since reads without one failed: {error}")
        torn = sum(one > two for one, two in pairs)
        fact = f"{len(pairs)} pairs of reads beside {_COMMITS} commits, {torn} torn{_SET_DIRECT_NO if torn else ''}"
        return Finding(name, not torn, needed=False, fact=fact)

    def _read_directly(self, form: Form, slot: int) -> str | None:
        rows = form.rows(self._cluster.select_directly(form, [Compare("slot", "==", slot)], ["text"], None))
        return str(rows[0]["text"]) if rows else None

    def row_ids(self, form: Form) -> Finding:
        """Row ids must last for a transaction, updates of its own included."""
        slot = self._new_row(form)
        tx = self._cluster.begin()
        before = self._read(tx, form, slot)
        self._write(tx, form, before, "again")
        after = self._read(tx, form, slot)
        self._cluster.commit(tx)
        other = self._cluster.begin()
        later = self._read(other, form, slot)[ROW_ID]
        self._cluster.rollback(other)
        fact = f"{before[ROW_ID]}, after an update {after[ROW_ID]}, in another transaction {later}"
        return Finding(
            f"row ids of a {_kind(form)} table stay", before[ROW_ID] == after[ROW_ID], needed=True, fact=fact
        )

    def given_up(self) -> Finding:
        """A rollback must not undo what is committed, and must keep a later commit from succeeding."""
        slot = self._new_row(_PLAIN)
        tx = self._cluster.begin()
        self._write(tx, _PLAIN, self._read(tx, _PLAIN, slot), "kept")
        self._cluster.commit(tx)
        self._cluster.rollback(tx)
        kept = self._text(_PLAIN, slot)
        tx = self._cluster.begin()
        self._write(tx, _PLAIN, self._read(tx, _PLAIN, slot), "lost")
        self._cluster.rollback(tx)
        refused = False
        try:
            self._cluster.commit(tx)
        except _REFUSALS:
            refused = True
        last = self._text(_PLAIN, slot)
        fact = f"after commit and rollback {kept!r}; a commit after a rollback was {'refused' if refused else 'taken'}"
        return Finding("a transaction ends once", (kept, last) == ("kept", "kept"), needed=True, fact=fact)

    def cell(self) -> Finding:
        """The longest text that the engine writes."""
        text = "x" * CELL_BYTES
        slot = self._new_row(_PLAIN)
        tx = self._cluster.begin()
        try:
            self._write(tx, _PLAIN, self._read(tx, _PLAIN, slot), text)
            self._cluster.commit(tx)
        except _REFUSALS as error:
            self._cluster.rollback(tx)
            return Finding("the longest cell", holds=False, needed=True, fact=f"{CELL_BYTES} bytes: {error}")
        same = self._text(_PLAIN, slot) == text
        return Finding("the longest cell", same, needed=True, fact=f"{CELL_BYTES} bytes {'came' if same else 'went'}")

    def list_of_values(self) -> Finding:
        """The longest list of values in one condition."""
        slot = self._new_row(_PLAIN)
        tx = self._cluster.begin()
        try:
            found = self._cluster.select(tx, _PLAIN, [In("slot", range(slot, slot + IN_LIST))], ["slot"], None)
            fact, holds = f"{IN_LIST} values: {len(found)} row", len(found) == 1
        except (TamsError, errors.HttpError) as error:
            fact, holds = f"{IN_LIST} values: {error}", False
        self._cluster.rollback(tx)
        return Finding("the longest list of values", holds, needed=True, fact=fact)
