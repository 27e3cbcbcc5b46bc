"""tams-server backup and restore, on every engine: killed in the middle, repeated, and while writers run."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.catalog import Catalog
from storage.catalog.check.findings import Finding
from storage.catalog.clock import SECOND, clock
from storage.tables.schema import TABLES
from tams_server.cli.main import main
from tams_server.cli.progress import Progress
from tams_server.settings import load_settings
from tams_server.wiring import Parts, open_parts, prepare
from tests.conformance.kit.documents import flow
from tests.logging_state import kept_logging
from tests.unit.catalogs import BASE, CALLER

Run = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    """Undo what a command changes in the logging of the process."""
    with kept_logging():
        yield


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """A function that runs a command and returns its exit status and output."""

    def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def use(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> None:
    """Make commands use this database, and this folder for media."""
    monkeypatch.setenv("TAMS_DATABASE_URL", url)
    monkeypatch.setenv("TAMS_DATA_DIR", str(folder))


@pytest.fixture
def filled(new_url: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    """The parts of a server in use, which commands use too, with three flows of twenty segments."""
    use(monkeypatch, new_url(), tmp_path / "old")
    settings = load_settings(os.environ, {}).settings
    prepare(settings)
    parts = open_parts(settings)
    for _ in range(3):
        add_flow(parts)
    yield parts
    parts.close()


def add_flow(parts: Parts) -> str:
    """Add a flow with twenty segments, and their bytes."""
    document = flow()
    flow_id: str = document["id"]
    parts.catalog.flows.put(CALLER, flow_id, document)
    ids = [f"{flow_id}-{n}" for n in range(20)]
    parts.catalog.allocation.allocate(CALLER, flow_id, {"object_ids": ids}, BASE)
    [store] = parts.stores.values()
    for object_id in ids:
        store.write(object_id, "video/mp2t", iter([object_id.encode()]))
    items = [{"object_id": object_id, "timerange": f"[{n}:0_{n + 1}:0)"} for n, object_id in enumerate(ids)]
    assert parts.catalog.segments.register(CALLER, flow_id, items) == []
    return flow_id


def killed(step: int, *arguments: str) -> bool:
    """Run a command that is killed at this step. Returns False if it ended before."""
    command = [sys.executable, "-m", "tests.engines.killed_command", str(step), *arguments]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, timeout=100, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr.decode()
    return done.returncode != 0


def findings_in_an_hour() -> list[Finding]:
    """What a check of the catalogue that commands use finds once no upload can be in progress."""
    parts = open_parts(load_settings(os.environ, {}).settings)
    try:
        later = Catalog(parts.engine, parts.stores, clock=lambda: clock() + 3600 * SECOND)
        return list(later.consistency.check())
    finally:
        parts.close()


def modes(folder: Path) -> set[str]:
    """The modes of all files and folders in a folder."""
    return {f"{'d' if path.is_dir() else '-'}{path.stat().st_mode & 0o777:o}" for path in folder.rglob("*")}


def test_a_backup_that_was_killed_leaves_nothing_and_is_repeated(filled: Parts, tmp_path: Path, run: Run) -> None:
    place = str(tmp_path / "backups")
    for step in (75, 140):
        assert killed(step, "backup", place, "--media")
        assert run("backup", place, "--list") == (0, "")
    assert run("backup", place, "--media")[0] == 0
    [folder] = Path(place).glob("[!.]*")
    assert list(Path(place).glob(".partial*")) == []
    assert "no file is missing" in run("restore", place, "--verify")[1]
    assert modes(folder / "catalogue") == {"-600"}


def test_a_restoration_that_was_killed_keeps_servers_away_and_is_repeated(
    filled: Parts, new_url: Callable[[], str], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, new = str(tmp_path / "backups"), tmp_path / "new"
    assert run("backup", place, "--media")[0] == 0
    use(monkeypatch, new_url(), new)
    outcomes = []
    # Among others while media are restored, in the first table, and in later ones.
    for step in (100, 150, 170):
        assert killed(step, "restore", place)
        status, output = run("check")
        outcomes.append((status, "was not completed" in output))
    assert (1, True) in outcomes
    assert run("restore", place)[0] == 0
    assert run("check")[0] == 0
    assert findings_in_an_hour() == []
    assert same(run, place, tmp_path)
    status, output = run("restore", place)
    assert (status, "must be empty" in output) == (1, True)


def same(run: Run, place: str, tmp_path: Path) -> bool:
    """Whether the catalogue is that of the backup, byte for byte."""
    again = tmp_path / "again"
    assert run("export", str(again))[0] == 0
    [backup] = Path(place).glob("[!.]*")
    return contents(again) == contents(backup / "catalogue")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_backup_while_writers_run_is_consistent(
    filled: Parts, new_url: Callable[[], str], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "backups")
    flows = [add_flow(filled)]
    seen: set[str] = set()

    def write(_self: Progress, what: str, _count: int) -> None:
        """After the first batch of each table, delete the flow of before and add another."""
        if what not in seen:
            seen.add(what)
            filled.catalog.deletions.delete_flow(CALLER, flows.pop())
            flows.append(add_flow(filled))

    monkeypatch.setattr(Progress, "show", write)
    assert run("backup", place, "--media")[0] == 0
    assert {"flows", "segments", "objects", "object_refs"} <= seen
    use(monkeypatch, new_url(), tmp_path / "new")
    assert run("restore", place)[0] == 0
    assert findings_in_an_hour() == []


def test_a_backup_can_be_restored_to_another_engine(
    filled: Parts, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = str(tmp_path / "backups")
    assert run("backup", place)[0] == 0
    monkeypatch.delenv("TAMS_DATABASE_URL")
    monkeypatch.setenv("TAMS_DATA_DIR", str(tmp_path / "new"))
    assert run("restore", place)[0] == 0
    assert same(run, place, tmp_path)


def test_another_restoration_than_the_interrupted_one_is_rejected(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [str(tmp_path / "one"), str(tmp_path / "two")]
    for place in places:
        monkeypatch.setenv("TAMS_DATA_DIR", f"{place}-data")
        assert run("token", "create", "--name", place)[0] == 0
        assert run("backup", place)[0] == 0
    monkeypatch.setenv("TAMS_DATA_DIR", str(tmp_path / "new"))
    assert killed(len(TABLES) + 2, "restore", places[0])  # each table has been verified, and the first restored
    status, output = run("restore", places[1])
    assert (status, "repeat that one" in output) == (1, True)
    assert run("restore", places[0])[0] == 0
