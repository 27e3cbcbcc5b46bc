"""The checks of the probe: each tries one assumption about a cluster, on a row of its own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
from vastdb import errors

from storage.errors import Contended, TamsError
from storage.tables.conditions import Compare, In
from storage.tables.declaration import Column, Table
from storage.tables.transaction import Row
from storage.tables.vast.cluster import Cluster
from storage.tables.vast.cluster_errors import UnknownOutcome
from storage.tables.vast.layout import CELL_BYTES, ROW_ID, TableLayout
from storage.tables.vast.predicates import MAX_LIST
from storage.tables.vast.query import DirectReadFailed


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Whether one assumption holds, and what was observed. required: if it does not, only one process may write."""

    name: str
    holds: bool
    required: bool
    fact: str


_COLUMNS = (Column("slot", "int64"), Column("text", "string"))
PLAIN = TableLayout(Table("probe", _COLUMNS, key=("slot",)))
SORTED = TableLayout(Table("probe_sorted", _COLUMNS, key=("slot",), clustered=True))

_COMMITS = 40
_ADVICE = "; set ?direct=no"
_REJECTIONS = (TamsError, UnknownOutcome, errors.HttpError)
_FAILED_READS = (*_REJECTIONS, DirectReadFailed)


def _kind(layout: TableLayout) -> str:
    return "sorted" if layout.sorting_key else "plain"


def _commit_number(text: str | None) -> int:
    """The number of the commit that wrote `text`; -1 for the value before the first commit, -2 for no row."""
    return -2 if text is None else -1 if text == "first" else int(text)


class ProbeChecks:
    """Each public method is one check. layout: PLAIN or SORTED."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._rows = 0

    def concurrent_updates(self, layout: TableLayout) -> ProbeResult:
        """Of two transactions that update one row, exactly one fails."""
        slot = self._new_row(layout)
        one, two = self._cluster.begin(), self._cluster.begin()
        for tx in (one, two):
            self._read(tx, layout, slot)
        self._write(one, layout, self._read(one, layout, slot), "one")
        failed: list[str] = []
        try:
            self._write(two, layout, self._read(two, layout, slot), "two")
        except Contended:
            failed.append("the second at its update")
            self._cluster.rollback(two)
        for name, tx in (("first", one), ("second", two)):
            if failed and tx is two:
                continue
            try:
                self._cluster.commit(tx)
            except Contended:
                failed.append(f"the {name} at its commit")
            except UnknownOutcome:
                failed.append(f"the {name} by an outage at its commit")
        fact = f"{' and '.join(failed) or 'neither'} failed; the row has {self._text(layout, slot)!r}"
        name = f"of two updates of one row of a {_kind(layout)} table, one fails"
        return ProbeResult(name, len(failed) == 1, required=True, fact=fact)

    def stale_update(self, layout: TableLayout) -> ProbeResult:
        """A row that another transaction changed after it was read cannot be updated."""
        slot = self._new_row(layout)
        early, late = self._cluster.begin(), self._cluster.begin()
        seen = self._read(early, layout, slot)
        self._write(late, layout, self._read(late, layout, slot), "late")
        self._cluster.commit(late)
        outcome = "rejected at the update"
        try:
            self._write(early, layout, seen, "early")
            outcome = "rejected at the commit"
            self._cluster.commit(early)
            outcome = "accepted"
        except (Contended, UnknownOutcome):
            self._cluster.rollback(early)
        text = self._text(layout, slot)
        holds = outcome != "accepted" and text == "late"
        name = f"an update of a {_kind(layout)} table based on a stale read fails"
        return ProbeResult(name, holds, required=True, fact=f"{outcome}; the row has {text!r}")

    def snapshot(self) -> ProbeResult:
        """A transaction does not see what others commit after it began. Otherwise it would miss conflicts."""
        slot = self._new_row(PLAIN)
        reader, writer = self._cluster.begin(), self._cluster.begin()
        first = self._read(reader, PLAIN, slot)["text"]
        self._write(writer, PLAIN, self._read(writer, PLAIN, slot), "later")
        self._cluster.commit(writer)
        second = self._read(reader, PLAIN, slot)["text"]
        self._cluster.rollback(reader)
        new = self._text(PLAIN, slot)
        fact = f"an open transaction read {first!r}, then {second!r}; a new one read {new!r}"
        holds = first == second and new == "later"
        return ProbeResult("a transaction sees one moment", holds, required=False, fact=fact)

    def own_writes(self) -> ProbeResult:
        slot = self._new_row(PLAIN)
        tx = self._cluster.begin()
        self._write(tx, PLAIN, self._read(tx, PLAIN, slot), "mine")
        own, others = self._read(tx, PLAIN, slot)["text"], self._text(PLAIN, slot)
        self._cluster.rollback(tx)
        after = self._text(PLAIN, slot)
        holds = (own, others, after) == ("mine", "first", "first")
        fact = f"the writer read {own!r}, others {others!r}, and after a rollback {after!r}"
        return ProbeResult("only the writer sees its uncommitted changes", holds, required=True, fact=fact)

    def direct_reads(self, layout: TableLayout) -> ProbeResult:
        """A read without a transaction returns what is committed, and nothing else."""
        name = f"reads of a {_kind(layout)} table without a transaction return what is committed"
        slot = self._new_row(layout)
        tx = self._cluster.begin()
        self._write(tx, layout, self._read(tx, layout, slot), "later")
        try:
            before = self._read_directly(layout, slot)
            self._cluster.commit(tx)
            after = self._read_directly(layout, slot)
        except _FAILED_READS as error:
            self._cluster.rollback(tx)
            fact = f"rejected, so every read will use a transaction: {error}"
            return ProbeResult(name, holds=False, required=False, fact=fact)
        holds = (before, after) == ("first", "later")
        fact = f"{before!r} before a commit and {after!r} after it{'' if holds else _ADVICE}"
        return ProbeResult(name, holds, required=False, fact=fact)

    def atomic_visibility(self) -> ProbeResult:
        """A commit to two tables shows in both at once: of two direct reads, the later one never sees less."""
        name = "a commit becomes visible in all tables at once"
        slots = {layout: self._new_row(layout) for layout in (PLAIN, SORTED)}
        ended = threading.Event()

        def write() -> None:
            for number in range(_COMMITS):
                tx = self._cluster.begin()
                for layout, slot in slots.items():
                    self._write(tx, layout, self._read(tx, layout, slot), str(number))
                self._cluster.commit(tx)

        pairs: list[tuple[int, int]] = []
        try:
            with ThreadPoolExecutor(1) as pool:
                writing = pool.submit(write)
                writing.add_done_callback(lambda _: ended.set())
                while not ended.is_set():
                    order = (PLAIN, SORTED) if len(pairs) % 2 else (SORTED, PLAIN)
                    earlier, later = (self._read_directly(layout, slots[layout]) for layout in order)
                    pairs.append((_commit_number(earlier), _commit_number(later)))
                writing.result()
        except _FAILED_READS as error:
            fact = f"not tried, as a read without a transaction failed: {error}"
            return ProbeResult(name, holds=False, required=False, fact=fact)
        torn = sum(earlier > later for earlier, later in pairs)
        fact = f"{len(pairs)} pairs of reads during {_COMMITS} commits, {torn} torn{_ADVICE if torn else ''}"
        return ProbeResult(name, not torn, required=False, fact=fact)

    def stable_row_ids(self, layout: TableLayout) -> ProbeResult:
        """Row ids stay the same during a transaction, even after it updates the row."""
        slot = self._new_row(layout)
        tx = self._cluster.begin()
        before = self._read(tx, layout, slot)
        self._write(tx, layout, before, "again")
        after = self._read(tx, layout, slot)
        self._cluster.commit(tx)
        other = self._cluster.begin()
        later = self._read(other, layout, slot)[ROW_ID]
        self._cluster.rollback(other)
        fact = f"{before[ROW_ID]}, after an update {after[ROW_ID]}, in another transaction {later}"
        holds = before[ROW_ID] == after[ROW_ID]
        return ProbeResult(f"row ids of a {_kind(layout)} table are stable", holds, required=True, fact=fact)

    def single_ending(self) -> ProbeResult:
        """A rollback after a commit changes nothing, and a commit after a rollback fails."""
        slot = self._new_row(PLAIN)
        tx = self._cluster.begin()
        self._write(tx, PLAIN, self._read(tx, PLAIN, slot), "kept")
        self._cluster.commit(tx)
        self._cluster.rollback(tx)
        kept = self._text(PLAIN, slot)
        tx = self._cluster.begin()
        self._write(tx, PLAIN, self._read(tx, PLAIN, slot), "lost")
        self._cluster.rollback(tx)
        outcome = "accepted"
        try:
            self._cluster.commit(tx)
        except _REJECTIONS:
            outcome = "rejected"
        last = self._text(PLAIN, slot)
        fact = f"after commit and rollback the row has {kept!r}; a commit after a rollback was {outcome}"
        return ProbeResult("a transaction ends once", (kept, last) == ("kept", "kept"), required=True, fact=fact)

    def longest_cell(self) -> ProbeResult:
        """The longest text that the engine writes is stored."""
        name = f"a cell holds {CELL_BYTES} bytes"
        text = "x" * CELL_BYTES
        slot = self._new_row(PLAIN)
        tx = self._cluster.begin()
        try:
            self._write(tx, PLAIN, self._read(tx, PLAIN, slot), text)
            self._cluster.commit(tx)
        except _REJECTIONS as error:
            self._cluster.rollback(tx)
            return ProbeResult(name, holds=False, required=True, fact=f"rejected: {error}")
        same = self._text(PLAIN, slot) == text
        return ProbeResult(name, same, required=True, fact="read back unchanged" if same else "read back changed")

    def longest_list(self) -> ProbeResult:
        """The longest list of values that the engine sends in one condition is accepted."""
        slot = self._new_row(PLAIN)
        tx = self._cluster.begin()
        try:
            found = self._cluster.select(tx, PLAIN, [In("slot", range(slot, slot + MAX_LIST))], ["slot"], None)
            fact, holds = f"rows found: {len(found)}, expected 1", len(found) == 1
        except (TamsError, errors.HttpError) as error:
            fact, holds = f"rejected: {error}", False
        self._cluster.rollback(tx)
        return ProbeResult(f"a condition may list {MAX_LIST} values", holds, required=True, fact=fact)

    def _new_row(self, layout: TableLayout) -> int:
        """Commit a row with the text "first", and return its slot."""
        self._rows += 1
        tx = self._cluster.begin()
        batch = pa.record_batch([pa.array([self._rows]), pa.array(["first"])], schema=layout.schema)
        self._cluster.insert(tx, layout, batch)
        self._cluster.commit(tx)
        return self._rows

    def _read(self, tx: int, layout: TableLayout, slot: int) -> Row:
        found = self._cluster.select(tx, layout, [Compare("slot", "==", slot)], ["text", ROW_ID], None)
        rows = layout.rows(found)
        return rows[0] if rows else {"text": None, ROW_ID: None}

    def _write(self, tx: int, layout: TableLayout, row: Row, text: str) -> None:
        values = pa.record_batch([pa.array([text])], names=["text"])
        self._cluster.update(tx, layout, layout.row_ids([row[ROW_ID]]), values)

    def _text(self, layout: TableLayout, slot: int) -> str | None:
        """The text as a new transaction sees it."""
        tx = self._cluster.begin()
        text: str | None = self._read(tx, layout, slot)["text"]
        self._cluster.rollback(tx)
        return text

    def _read_directly(self, layout: TableLayout, slot: int) -> str | None:
        """The text as a read without a transaction sees it."""
        rows = layout.rows(self._cluster.select_direct(layout, [Compare("slot", "==", slot)], ["text"], None))
        return str(rows[0]["text"]) if rows else None
