"""The file of an SQLite database is removed, replaced or unmounted while it is open."""

import os
import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.errors import TamsError, Unavailable
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.sqlite import SqliteEngine
from storage.tables.sqlite_connections import Connection


def _remove(file: Path) -> None:
    file.unlink()


def _move_folder_away(file: Path) -> None:
    file.parent.rename(file.parent.with_name("unmounted"))
    file.parent.mkdir()


def _replace_by_copy(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    os.replace(file.with_name("copy"), file)


def _remove_journal(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _overwrite(file: Path) -> None:
    """As `cp` of an older, smaller backup does, which keeps the inode."""
    file.write_bytes(file.read_bytes()[:-4096])


def _truncate_journal(file: Path) -> None:
    os.truncate(file.with_name(f"{file.name}-wal"), 0)


def _shorten_journal(file: Path) -> None:
    journal = file.with_name(f"{file.name}-wal")
    os.truncate(journal, journal.stat().st_size - 1)


SHRINKS = [_truncate, _overwrite, _truncate_journal, _shorten_journal]
LOSSES = [_remove, _move_folder_away, _replace_by_copy]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalog.db"


@pytest.fixture
def engine(file: Path) -> Engine:
    engine = open_engine(file)
    engine.create()
    _write(engine, "before")
    return engine


def _write(engine: Engine, key: str) -> None:
    with engine.write() as tx:
        tx.insert("service", [{"key": key, "value": "x"}])


def _keys(engine: Engine) -> set[str]:
    with engine.read() as tx:
        return {row["key"] for row in tx.select("service")}


@pytest.mark.parametrize("lose", LOSSES)
def test_no_change_is_acknowledged_after_the_file_was_lost(
    engine: Engine, file: Path, lose: Callable[[Path], None]
) -> None:
    lose(file)
    found = set(os.listdir(file.parent))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"the catalogue's file was (removed|replaced)"):
            _write(engine, "after")
    assert set(os.listdir(file.parent)) == found, "nothing is made again"


@pytest.mark.parametrize("lose", [*LOSSES, _remove_journal])
def test_a_change_is_not_acknowledged_if_the_file_is_lost_before_its_commit(
    engine: Engine, file: Path, lose: Callable[[Path], None]
) -> None:
    with pytest.raises(Unavailable, match=r"removed|replaced"), engine.write() as tx:
        tx.insert("service", [{"key": "lost", "value": "x"}])
        lose(file)


@pytest.mark.parametrize("shrink", SHRINKS)
def test_no_change_is_acknowledged_after_the_file_or_its_journal_was_truncated(
    engine: Engine, file: Path, shrink: Callable[[Path], None]
) -> None:
    with engine.read():  # a second connection keeps the journal where it is
        _write(engine, "more")
        shrink(file)
        for _ in range(2):
            with pytest.raises(Unavailable, match="overwritten or truncated"):
                _write(engine, "after")


def test_a_journal_may_be_shorter_after_the_last_connection_has_closed(engine: Engine) -> None:
    """The journal is made again then, and file systems such as ext4 give it the inode of the one before."""
    for count in (60, 1, 60, 1):
        for _ in range(count):
            _write(engine, str(uuid.uuid4()))
        engine.close()


def _empty_journal(engine: Engine, file: Path) -> None:
    """Make it longer than what is written to it next, then empty it as Litestream and people do."""
    for _ in range(9):
        _write(engine, str(uuid.uuid4()))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)


def test_a_checkpoint_by_another_program_may_make_the_journal_shorter(engine: Engine, file: Path) -> None:
    other = open_engine(file)
    for writers in ([engine], [other, engine]):
        _empty_journal(engine, file)
        for each in writers:
            _write(each, str(uuid.uuid4()))


def test_a_shorter_journal_of_another_time_is_rejected(engine: Engine, file: Path) -> None:
    _empty_journal(engine, file)
    _write(open_engine(file), "more")
    with file.with_name(f"{file.name}-wal").open("r+b") as journal:
        journal.seek(16)
        journal.write(b"its salt")
    with pytest.raises(Unavailable, match="overwritten or truncated"):
        _write(engine, "after")


def test_a_loss_is_logged_once(engine: Engine, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with engine.read():
        _write(engine, "more")
        _truncate_journal(file)
        for _ in range(3):
            with pytest.raises(Unavailable):
                _write(engine, "after")
    assert len(caplog.records) == 1


def test_no_change_is_acknowledged_after_the_journal_was_removed(engine: Engine, file: Path) -> None:
    _remove_journal(file)
    with pytest.raises(Unavailable, match="journal"):
        _write(engine, "after")


@pytest.mark.parametrize("lose", LOSSES)
def test_reads_of_a_lost_file_end_within_a_second(
    engine: Engine, file: Path, lose: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(file)
    monkeypatch.setattr("storage.tables.sqlite_identity._READERS_CHECK_S", 0)
    for read in (engine.read, engine.read_once):
        with pytest.raises(Unavailable, match="the catalogue's file was"), read():
            pass


def test_work_goes_on_when_the_file_is_put_back(engine: Engine, file: Path) -> None:
    away = file.parent.with_name("away")
    file.parent.rename(away)
    with pytest.raises(Unavailable):
        _write(engine, "meanwhile")
    away.rename(file.parent)
    _write(engine, "after")
    assert _keys(engine) == {"before", "after"}


def test_a_missing_file_is_not_made_by_a_connection(file: Path) -> None:
    file.parent.mkdir()
    engine = open_engine(file)
    for call in (_keys, lambda engine: _write(engine, "new")):
        with pytest.raises(Unavailable, match="does not exist"):
            call(engine)
    assert os.listdir(file.parent) == []


def test_a_file_lost_while_a_connection_opens_it_is_noticed(
    engine: Engine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection opened the file before, so that it must not count as one to that which is found later."""
    assert isinstance(engine, SqliteEngine)
    engine.close()
    open_ = Connection.execute

    def execute(self: Connection, sql: str, *parameters: object) -> object:
        if sql.startswith("PRAGMA temp_store"):
            with suppress(FileNotFoundError):
                _replace_by_copy(file)
        return open_(self, sql, *parameters)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "execute", execute)
    with pytest.raises(TamsError, match="replaced"):
        _write(engine, "after")


def test_another_process_accepts_only_the_file_that_the_first_has_held(engine: Engine, file: Path) -> None:
    other = open_engine(file)
    other.hold(engine.held())
    assert _keys(other) == {"before"}
    _replace_by_copy(file)
    late = open_engine(file)
    late.hold(engine.held())
    with pytest.raises(Unavailable, match="replaced"):
        _keys(late)
