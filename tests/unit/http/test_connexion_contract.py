"""The internals of Connexion that this server relies on: only one module uses them, and they are as it expects."""

import ast
import inspect
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import connexion
import connexion.apps.flask
import connexion.middleware.abstract
import pytest
from connexion.apps.flask import FlaskApi, FlaskASGIApp
from connexion.middleware.main import ConnexionMiddleware
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver

ROOT = Path(__file__).parents[3]
USER = "tams_server/http/connexion_app.py"

# Members that connexion_app.py calls or overrides, with parameters that it passes or accepts.
MEMBERS: list[tuple[Any, str, set[str]]] = [
    (connexion.FlaskApp, "__init__", {"import_name", "middlewares", "server_args", "resolver"}),
    (connexion.FlaskApp, "add_api", {"specification", "base_path"}),
    (ConnexionMiddleware, "_build_middleware_stack", set()),
    (FlaskASGIApp, "__init__", {"import_name", "server_args"}),
    (FlaskASGIApp, "add_api", {"specification", "name"}),
    (FlaskASGIApp, "__call__", {"scope", "receive", "send"}),
    (FlaskApi, "make_operation", {"operation"}),
    (Resolver, "__init__", {"function_resolver"}),
]


def fail(member: str, problem: str) -> None:
    pytest.fail(f"connexion {version('connexion')}: {member} {problem}; {USER} relies on it", pytrace=False)


@pytest.mark.parametrize(("owner", "name", "parameters"), MEMBERS, ids=lambda value: getattr(value, "__name__", None))
def test_members_accept_the_parameters_that_are_used(owner: Any, name: str, parameters: set[str]) -> None:
    member = f"{owner.__name__}.{name}"
    function = getattr(owner, name, None)
    if function is None:
        fail(member, "does not exist")
    missing = parameters - set(inspect.signature(function).parameters)
    if missing:
        fail(member, f"has no parameter {', '.join(sorted(missing))}")


@pytest.fixture
def app() -> connexion.FlaskApp:
    """An application with one operation and one middleware that marks the scope."""
    app = connexion.FlaskApp(
        __name__, middlewares=[_Marking], server_args={"static_folder": None}, resolver=Resolver(lambda _id: _handler)
    )
    operation = {"operationId": "GET_x", "responses": {"200": {"description": ""}}}
    document = {"openapi": "3.0.3", "info": {"title": "", "version": "1"}, "paths": {"/x": {"get": operation}}}
    app.add_api(document, base_path="")
    return app


class _Marking:
    def __init__(self, app: Any) -> None:
        self.app = app


def _handler() -> str:
    return "handled"


def test_the_stack_consists_of_the_given_middlewares_around_the_replaced_application(app: connexion.FlaskApp) -> None:
    replacement = FlaskASGIApp(__name__, {"static_folder": None})
    app.middleware.app = replacement
    stack = app.middleware._build_middleware_stack()[0]
    if not isinstance(stack, _Marking) or stack.app is not replacement:
        fail("ConnexionMiddleware._build_middleware_stack", "does not return the middlewares around `app` first")


def test_operations_are_made_with_function_and_id(app: connexion.FlaskApp, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[AbstractOperation] = []

    def make_operation(_self: FlaskApi, operation: AbstractOperation) -> Callable[[], str]:
        made.append(operation)
        return _handler

    monkeypatch.setattr(FlaskApi, "make_operation", make_operation)
    app.middleware._build_middleware_stack()
    if [(operation.operation_id, operation.function) for operation in made] != [("GET_x", _handler)]:
        fail("FlaskApi.make_operation", "is not called once for each operation, with its operation_id and function")


def test_only_one_module_uses_connexion() -> None:
    assert [path for path in _sources() if "connexion" in _imported_packages(path)] == [USER]


def test_private_members_of_libraries_are_used_in_one_module_only() -> None:
    """In the HTTP side, attributes that begin with an underscore are read from self or the own package alone."""
    users = {path for path in _sources() if _foreign_private_attributes(path)}
    assert users == {USER}


def _sources() -> list[str]:
    folders = ("http", "media", "pages", "metrics")
    files = [file for folder in folders for file in (ROOT / "tams_server" / folder).rglob("*.py")]
    return sorted(str(file.relative_to(ROOT)) for file in [*files, ROOT / "tams_server/app.py"])


def _tree(path: str) -> ast.AST:
    return ast.parse((ROOT / path).read_text())


def _imported_packages(path: str) -> set[str]:
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _foreign_private_attributes(path: str) -> set[str]:
    return {
        node.attr
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    }
