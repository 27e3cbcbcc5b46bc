"""What a database itself finds wrong with what it has stored."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.errors import Unavailable
from storage.tables import open_engine
from storage.tables.engine import Engine
from storage.tables.rows import ProfileRow
from tests.engines.damage import damage_index


def _fill(engine: Engine) -> None:
    with engine.write() as tx:
        tx.insert(
            "objects",
            [{"id": f"object {n}", "state": "media", "flow_id": "flow", "created": n} for n in range(50)],
        )


def test_nothing_is_wrong_with_a_sound_database(engine: Engine) -> None:
    _fill(engine)
    assert list(engine.find_damage()) == []


def test_indexes_of_postgresql_are_checked_if_it_can(postgres_url: str) -> None:
    """The extension is not installed by default, and may not be available."""
    engine = open_engine(postgres_url)
    engine.create()
    _fill(engine)
    database = sa.create_engine(postgres_url)
    try:
        with database.begin() as connection:
            available = "SELECT 1 FROM pg_available_extensions WHERE name = 'amcheck'"
            if connection.exec_driver_sql(available).first() is None:
                pytest.skip("PostgreSQL has no amcheck here")
            connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS amcheck")
        assert list(engine.find_damage()) == []
    finally:
        engine.close()
        database.dispose()


def test_damage_of_an_index_is_found(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "catalog.db")
    engine.create()
    _fill(engine)
    damage_index(tmp_path / "catalog.db", "objects")
    engine.close()
    assert list(open_engine(tmp_path / "catalog.db").find_damage())


@pytest.mark.parametrize("text", ["{", "null", "[]", ""])
def test_a_document_that_is_none_is_found_and_is_an_outage(tmp_path: Path, text: str) -> None:
    """SQLite has no checksums: it finds nothing wrong with bytes that are of no structure of its own."""
    engine = open_engine(tmp_path / "catalog.db")
    engine.create()
    profile: ProfileRow = {
        "id": "p",
        "format": "f",
        "codec": "c",
        "label": "l",
        "unlabelled": False,
        "created": 1,
        "doc": {"a": 1},
    }
    with engine.write() as tx:
        tx.insert("profiles", [profile])
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as other:
        other.execute("UPDATE profiles SET doc = ?", [text])
    [found] = engine.find_damage()
    assert "profiles" in found
    if text in ("{", ""):
        with pytest.raises(Unavailable, match="damaged"), engine.read() as tx:
            tx.select("profiles")
    engine.close()


@pytest.mark.parametrize("begin", [0, 100])
def test_a_file_that_is_overwritten_is_said_to_be_damaged(tmp_path: Path, begin: int) -> None:
    file = tmp_path / "catalog.db"
    engine = open_engine(file)
    engine.create()
    engine.close()
    with file.open("r+b") as content:
        content.seek(begin)
        content.write(b"\x5a" * (file.stat().st_size - begin))
    with pytest.raises(Unavailable, match="damaged"):
        open_engine(file).create()
