"""Makes the tables of docs/errors.md from the codes that the code declares (F10): `make errors-page`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from storage.error_codes.code import CODES, ErrorCode
from storage.errors import TamsError
from tams_server.app import Application
from tams_server.errors import status_of

MARK: Final = "<!-- What follows is made from the code: make errors-page -->\n"
_HEADINGS: Final = "| code | status | severity | meaning | what to do |\n| --- | --- | --- | --- | --- |\n"


def with_tables(page: str) -> str:
    """Return the page with the tables of today: all that stands before MARK, and the tables behind it."""
    return page.partition(MARK)[0] + MARK + "".join(_tables())


def statuses() -> dict[str, int]:
    """Return the status of the errors of each kind that responses can have, by the kind."""
    assert Application.__module__, "importing the application makes all classes of errors known"
    return {error.kind: status_of(error).value for error in reversed([*_subclasses(TamsError)])}


def _subclasses(error: type[TamsError]) -> Iterator[type[TamsError]]:
    for each in error.__subclasses__():
        yield each
        yield from _subclasses(each)


def _tables() -> Iterator[str]:
    by_status = statuses()
    subjects: dict[str, list[ErrorCode]] = {}
    for code in CODES.values():
        subjects.setdefault(code.name.partition(".")[0], []).append(code)
    for subject, codes in sorted(subjects.items()):
        yield f"\n## {subject}\n\n{_HEADINGS}"
        for code in sorted(codes, key=lambda each: each.name):
            yield f"| `{code.name}` | {by_status[code.kind]} | {code.severity} | {code.meaning} | {code.remedy} |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(with_tables(file.read_text()))
