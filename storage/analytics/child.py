"""The process that runs queries: `python -m storage.analytics.child`, which a server starts and talks to over pipes.

Frames in both directions are a length of 8 bytes and so many bytes. It gets a JSON document with the place of the
tables and the limits, then queries (storage.analytics.request). To each it sends a JSON head, and the encoded result or
nothing. It ends when its input does. Requests to the server go first (storage.precedence).
"""

import contextlib
import importlib
import json
import logging
import resource
import struct
import sys
from dataclasses import replace
from typing import Any, BinaryIO

from storage.analytics.limits import Limits
from storage.analytics.request import load_place, load_query
from storage.errors import Invalid, NotInstalled, TamsError, TooExpensive, Unavailable
from storage.precedence import start_low, yield_to_requests

_LENGTH = struct.Struct(">Q")
_OVERHEAD_BYTES = 3 << 30
"""Address space that libraries and allocators reserve besides the memory of DuckDB, most of which they never touch. The
limit stops what DuckDB does not count, such as one enormous text."""
_KINDS = {
    Invalid: "invalid",
    TooExpensive: "too-expensive",
    NotInstalled: "not-installed",
    Unavailable: "unavailable",
}


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next frame; None at the end of the stream, or if it ends within a frame."""
    head = _read(stream, _LENGTH.size)
    return None if head is None else _read(stream, _LENGTH.unpack(head)[0])


def write_frame(stream: BinaryIO, content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _read(stream: BinaryIO, count: int) -> bytes | None:
    content = stream.read(count)
    return content if len(content) == count else None


def main() -> None:
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # What a library prints is no answer.
    first = read_frame(requests)
    if first is None:
        return
    setup = json.loads(first)
    place, limits = load_place(setup["place"]), Limits(**setup["limits"])
    start_low()
    _limit_memory(2 * limits.memory + _OVERHEAD_BYTES)
    with contextlib.suppress(ModuleNotFoundError):  # The first query is told.
        _load_libraries()
    yield_to_requests()
    while (frame := read_frame(requests)) is not None:
        head, body = _answer(place, frame, limits)
        write_frame(answers, json.dumps(head).encode())
        write_frame(answers, body)


def _load_libraries() -> None:
    """Import what queries need."""
    for name in ("result", "run", "arrow_readers", "embedded"):
        importlib.import_module(f"storage.analytics.{name}")


def _limit_memory(most: int) -> None:
    """Have this process fail before it reserves more than `most` bytes."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _answer(place: Any, frame: bytes, limits: Limits) -> tuple[dict[str, Any], bytes]:
    """The head of an answer, and its body."""
    query = load_query(frame)
    try:
        from storage.analytics.result import encode
        from storage.analytics.run import run_query

        own = replace(limits, rows=query.rows, answer_bytes=query.max_bytes)
        result = run_query(place, query, own)
        body = encode(result, query.format)
        own.check_answer(len(body))
        return {"rows": result.table.num_rows, "truncated": result.truncated}, body
    except TamsError as error:
        kind = next((name for type_, name in _KINDS.items() if isinstance(error, type_)), "failed")
        return {"error": kind, "message": error.message, "field": error.field}, b""
    except MemoryError:
        return {"error": "too-expensive", "message": "the query needs more memory than it may have"}, b""
    except ModuleNotFoundError as error:
        return {"error": "not-installed", "message": str(error)}, b""
    except Exception as error:
        logging.getLogger(__name__).exception("analytics: a query failed")
        return {"error": "failed", "message": f"{type(error).__name__}"}, b""


if __name__ == "__main__":
    main()
