"""tams-server export, import and tables (F8), on the embedded catalogue."""

from pathlib import Path

import pytest

from tams_server.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command; return its exit status, standard output and standard error."""
    status = main(arguments)
    output, errors = capsys.readouterr()
    return status, output, errors


@pytest.fixture
def filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A data folder with one credential in it."""
    folder = tmp_path / "old"
    assert run(capsys, "token", "create", "--name", "somebody", "--data-dir", str(folder))[0] == 0
    return folder


def test_export_and_import_round_trip(filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export, new, again = tmp_path / "export", str(tmp_path / "new"), tmp_path / "again"
    status, output, _ = run(capsys, "export", "--data-dir", str(filled), str(export))
    assert (status, "rows of" in output) == (0, True)
    assert run(capsys, "import", "--data-dir", new, str(export))[0] == 0
    assert run(capsys, "export", "--data-dir", new, str(again))[0] == 0
    assert {f.name: f.read_bytes() for f in export.iterdir()} == {f.name: f.read_bytes() for f in again.iterdir()}


def test_import_into_a_catalogue_with_rows_is_rejected(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "export", "--data-dir", str(filled), str(tmp_path / "export"))[0] == 0
    status, _, errors = run(capsys, "import", "--data-dir", str(filled), str(tmp_path / "export"))
    assert (status, "credentials" in errors) == (1, True)


def test_export_requires_a_catalogue_and_an_empty_folder(
    filled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, errors = run(capsys, "export", "--data-dir", str(tmp_path / "none"), str(tmp_path / "export"))
    assert (status, "no catalogue" in errors) == (1, True)
    assert not (tmp_path / "none").exists()
    status, _, errors = run(capsys, "export", "--data-dir", str(filled), str(filled))
    assert (status, "must be empty" in errors) == (1, True)


def test_indexes_are_listed_and_cannot_be_changed(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, output, _ = run(capsys, "tables", "projections", "--status", "--data-dir", str(filled))
    assert (status, "segments" in output) == (0, True)
    assert run(capsys, "tables", "projections", "--enable", "--data-dir", str(filled))[0] == 1
    assert run(capsys, "tables", "probe", "--data-dir", str(filled))[0] == 1
