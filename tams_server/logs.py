"""Log formats: text for people, JSON for machines, both with the request id.

Lines contain text of clients, which must neither look like further lines nor control the terminal that shows them.
"""

import functools
import json
import logging
import sys
import unicodedata
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

request_id_var: ContextVar[str] = ContextVar("request_id", default="-")
"""The id of the current request, in its task and its threads."""
trace_id_var: ContextVar[str | None] = ContextVar("trace_id", default=None)
"""The id of the trace that the current request is part of, in hexadecimal, if there is one."""

_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_SHOWN = frozenset(("Zs", "Cn", "Co"))
"""Categories of Unicode that are shown as they are, although Python does not call them printable."""


def printable(text: str) -> str:
    r"""Return `text` with everything escaped that breaks a line, controls a terminal or changes the order of reading.

    The escapes are those of JSON (`\u001b`), so that a JSON document stays one.
    """
    return text if text.isprintable() else "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) in _SHOWN:
        return character
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def configure_logging(level: str, *, as_json: bool) -> None:
    """Log to standard error, from `level` upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if as_json else _TextFormatter())
    # The standard library looks these up for every line, although no format shows them.
    logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These repeat, for every request or connection, what our own log lines say.
    for noisy in ("uvicorn.access", "gunicorn.access", "connexion", "asyncio", "httpx", "httpcore", "botocore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of every invalid form, which is an error of the client and in the access log.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


@functools.lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Format a Unix time in UTC. Cached, since consecutive lines often fall in the same second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _time(record: logging.LogRecord) -> str:
    return f"{_second(int(record.created))}.{int(record.msecs):03d}Z"


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname:7} {record.name} [{request_id_var.get()}] {record.getMessage()}"
        if not record.exc_info:
            return printable(line)
        # Indented, so that no line of an exception's message looks like one of the log.
        exception = self.formatException(record.exc_info).split("\n")
        return "\n  ".join(map(printable, (line, *exception)))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": request_id_var.get(),
            "process": record.process,
            "message": record.getMessage(),
        }
        if trace_id := trace_id_var.get():
            fields["trace_id"] = trace_id
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return printable(_encode(fields))


def _encode(fields: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(fields, default=str).decode()
    except orjson.JSONEncodeError:  # text that is not valid Unicode
        return json.dumps(fields, default=str)
