"""F11: log lines: one line an entry, whatever the text of clients that they contain."""

import io
import logging
from collections.abc import Iterator

import orjson
import pytest

from tams_server import logs
from tests.logging_state import kept_logging

HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "\x00\x08\x7f",
    "a\u2028b\u2029c\x85d\x0bd\x0ce\x1cf",
    "\u202eabc\u202c\u2066\u2069\u200f\u061c",
    "\u200b\ufeff\xad",
    "\ud800",
    "\U000e0041",
]


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    with kept_logging():
        yield logging.getLogger()


def logged(root: logging.Logger, text: str, *, as_json: bool, error: bool = False) -> str:
    logs.configure_logging("INFO", as_json=as_json)
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("test").error("object %s is missing", text, exc_info=error)
    return stream.getvalue()


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_an_entry_is_one_line_of_printable_text(root: logging.Logger, text: str, as_json: bool) -> None:
    line = logged(root, text, as_json=as_json).removesuffix("\n")
    assert line.isprintable()
    assert line.splitlines() == [line]
    assert "object " in line
    assert " is missing" in line


@pytest.mark.parametrize("text", HOSTILE[:-2])
def test_json_holds_the_text_as_it_was(root: logging.Logger, text: str) -> None:
    assert orjson.loads(logged(root, text, as_json=True))["message"] == f"object {text} is missing"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_of_an_exception_looks_like_an_entry(root: logging.Logger, text: str) -> None:
    entry, *exception = logged(root, f"{text}\n2026-01-01T00:00:00.000Z INFO faked", as_json=False).split("\n")[:-1]
    assert exception == []
    entry, *exception = logged(root, f"x\n2026 ERROR {text}", as_json=False, error=True).removesuffix("\n").split("\n")
    assert "Traceback" in exception[0]
    assert entry.isprintable()
    assert all(line.startswith("  ") and line.isprintable() for line in exception)


@pytest.mark.parametrize("text", ["plain", "Müller 日本\u3000語 😀", "\xa0", "a\\nb"])
def test_text_that_does_no_harm_is_shown_as_it_is(text: str) -> None:
    assert logs.printable(text) == text
