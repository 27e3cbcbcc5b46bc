"""What commands print: ids, names and messages of clients cannot fake lines or control the terminal."""

import ast
from pathlib import Path

import pytest

import tams_server.cli
from tams_server.cli.main import main
from tams_server.cli.output import print_line, print_lines

HOSTILE = "a\nfaked\r\x1b[2J\x9b31m\u202eb\u2028"


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE)
    print_line(HOSTILE, error=True)
    for text in capsys.readouterr():
        assert text.removesuffix("\n").isprintable()


def test_lines_of_our_own_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    print_lines('{\n  "a": "\x9b31m"\n}')
    assert capsys.readouterr().out == '{\n  "a": "\\u009b31m"\n}\n'


def test_an_error_with_text_of_a_client_stays_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TAMS_DATA_DIR", str(tmp_path))
    assert main(["token", "create", "--name", "x"]) == 0
    capsys.readouterr()
    assert main(["jobs", "retry", "copy", HOSTILE]) == 1
    error = capsys.readouterr().err.removesuffix("\n")
    assert error.isprintable()
    assert "faked" in error


def test_commands_print_by_this_module_only() -> None:
    """Besides progress, which rewrites its line and has no text of clients."""
    calls = [
        (file.name, node)
        for file in Path(str(tams_server.cli.__file__)).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    others = [name for name, call in calls if not any(keyword.arg == "end" for keyword in call.keywords)]
    assert set(others) == {"output.py", "progress.py"}
