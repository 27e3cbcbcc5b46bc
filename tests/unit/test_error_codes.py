"""F10: every error has a code that is declared once, used, and described in docs/errors.md."""

import ast
import builtins
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import storage.errors
import tams_server.errors
from storage.error_codes.code import CODES, ErrorCode, declare
from storage.errors import Invalid, NotFound, TamsError
from tams_server.cli.error_page import statuses, with_tables

ROOT = Path(__file__).parents[2]
FILES = [path for folder in ("storage", "handlers", "tams_server") for path in sorted((ROOT / folder).rglob("*.py"))]

_NEED_A_CODE = ("Invalid", "Forbidden", "NotFound", "Conflict", "AlreadyExists")
"""Classes whose own code says too little."""
_OF_COMMANDS = (
    "storage/analytics/trino.py",
    "storage/catalog/backup/",
    "storage/catalog/credential.py",
    "storage/catalog/credential_register.py",
    "storage/catalog/credentials.py",
    "storage/catalog/passwords.py",
    "storage/tables/import_marker.py",
    "storage/tables/transfer.py",
    "tams_server/cli/",
    "tams_server/client/",
    "tams_server/replication/",
)
"""Modules whose errors are those of commands, of the settings, or of the client library; no response has them."""
_INTERNAL = ("storage/media/s3_client.py", "storage/tables/sqlite.py", "storage/tables/postgresql.py")
"""Modules of which the general codes are right: callers replace the errors, or retry."""


def _declared() -> dict[str, ErrorCode]:
    """The codes by the names of their constants."""
    modules = ["storage.error_codes", "tams_server.error_codes"]
    found = [vars(importlib.import_module(name)) for name in modules]
    return {name: value for each in found for name, value in each.items() if isinstance(value, ErrorCode)}


def _calls(path: Path) -> Iterator[ast.Call]:
    """The calls in a module that make an error of a class, by its plain name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node


def _code_of(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)


def _class_named(name: str) -> type[TamsError] | None:
    found = getattr(storage.errors, name, getattr(tams_server.errors, name, getattr(builtins, name, None)))
    return found if isinstance(found, type) and issubclass(found, TamsError) else None


def test_the_page_is_that_of_the_code() -> None:
    """If this fails: `make errors-page`."""
    page = (ROOT / "docs" / "errors.md").read_text()
    assert page == with_tables(page)
    assert "| `flow.not_found` | 404 | error |" in page


def test_no_code_is_declared_twice() -> None:
    with pytest.raises(ValueError, match=r"flow\.not_found is declared twice"):
        declare("flow.not_found", "not_found", "It is not there.", "Look elsewhere.")


def test_every_code_belongs_to_a_class_of_errors_and_has_a_status() -> None:
    unknown = {code.name for code in CODES.values() if code.kind not in statuses()}
    assert not unknown
    assert {statuses()[code.kind] for code in CODES.values()} >= {400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415}


def test_every_code_is_used() -> None:
    """A code that nothing raises would be a promise without a rule."""
    names = {code.name: name for name, code in _declared().items()}
    assert set(names) == set(CODES)
    used = {
        node.attr
        for path in FILES
        if "error_codes" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not {name for code, name in names.items() if name not in used}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_of_a_response_is_raised_with_a_code_of_its_class(path: Path) -> None:
    """If this fails: give `code=error_codes...`, or declare one in storage/error_codes (docs/contributing.md)."""
    relative, declared = path.relative_to(ROOT).as_posix(), _declared()
    exempt = relative.startswith((*_OF_COMMANDS, *_INTERNAL, "storage/tables/vast/"))
    for call in _calls(path):
        assert isinstance(call.func, ast.Name)
        code = _code_of(call)
        assert code is not None or call.func.id not in _NEED_A_CODE or exempt, f"{relative}:{call.lineno} has no code"
        error = _class_named(call.func.id)
        if isinstance(code, ast.Attribute) and error is not None:
            assert declared[code.attr].kind == error.kind, f"{relative}:{call.lineno} has the code of another class"


def test_an_error_says_what_a_program_needs_to_know() -> None:
    plain = Invalid("a: 5 must be 6")
    assert plain.described() == {"code": "request.invalid", "severity": "error"}
    error = NotFound("no", code=CODES["flow.not_found"], field="flow_id", behaviour="FLOW-GET-02", schema_path="#/x")
    assert error.described() == {
        "code": "flow.not_found",
        "severity": "error",
        "field": "flow_id",
        "behaviour": "FLOW-GET-02",
        "schema_path": "#/x",
    }
