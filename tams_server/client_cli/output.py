"""What commands print on standard output: documents and listings as a table, JSON, YAML or ids only.

Listings are printed as they arrive, page by page, so that the first lines of an endless one come at once. Text of
others never controls the terminal.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from tams_server.client_cli.tables import Column, Table, cell
from tams_server.logs import printable

Document = Mapping[str, Any]
_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def id_of(document: Document) -> str:
    """The id of a document: its `id`."""
    return str(document["id"])


@dataclass(slots=True)
class Output:
    """Prints results in a format, one of parsers.FORMATS. width: of the terminal in characters, None if there is none.

    color: whether to use colours, which is only on a terminal, and not if NO_COLOR is set.
    """

    format: str = "table"
    stream: TextIO = field(default_factory=lambda: sys.stdout)
    width: int | None = None
    color: bool = False

    @classmethod
    def of_process(cls, format_: str, environ: Mapping[str, str]) -> "Output":
        """Standard output of this process."""
        if not sys.stdout.isatty():
            return cls(format_)
        try:
            width = int(environ.get("COLUMNS") or 0) or os.get_terminal_size(sys.stdout.fileno()).columns or None
        except (OSError, ValueError):
            width = None
        return cls(format_, sys.stdout, width, not environ.get("NO_COLOR") and environ.get("TERM") != "dumb")

    def line(self, text: str) -> None:
        """Print one line, whatever is in `text`."""
        self._print(printable(text))

    def note(self, text: str) -> None:
        """Print one line for the user on standard error, which is no part of the result."""
        self.stream.flush()
        print(printable(text), file=sys.stderr, flush=True)

    def styled(self, text: str, style: str) -> str:
        """The text in a style, such as "bold" or "red", if the output has colours."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color else text

    def styled_line(self, *parts: tuple[str, str]) -> None:
        """Print one line of texts, each with its style, "" for none."""
        self._print("".join(self.styled(printable(text), style) if style else printable(text) for text, style in parts))

    def listing(
        self, items: Iterable[Document], columns: Iterable[Column], identify: Callable[[Document], str] = id_of
    ) -> int:
        """Print items as they come, and return their number. identify: what the format `id` prints of each."""
        if self.format == "json":
            return self._json_list(items)
        count = 0
        if self.format == "table":
            table = Table(list(columns), self.width)
            for row in table.rows(items):
                self._print(self.styled(row.text, "bold") if row.is_title else row.text)
                count += not row.is_title
            return count
        for item in items:
            count += 1
            self._print(printable(identify(item)) if self.format == "id" else _yaml([item]))
        if self.format == "yaml" and not count:
            self._print("[]")
        return count

    def document(self, document: Document, identify: Callable[[Document], str] = id_of) -> None:
        """Print one document; as a table, a line for each member."""
        if self.format == "json":
            for line in json.dumps(document, indent=2, ensure_ascii=False).split("\n"):
                self.line(line)
        elif self.format == "yaml":
            self._print(_yaml(document))
        elif self.format == "id":
            self.line(identify(document))
        else:
            self._members(document, "")

    def json_line(self, document: Document) -> None:
        """Print a document as one line of JSON."""
        self.line(json.dumps(document, ensure_ascii=False))

    def _members(self, document: Document, indent: str) -> None:
        width = max((len(str(name)) for name in document), default=0)
        for name, value in document.items():
            title = f"{indent}{name!s:{width}}  "
            if isinstance(value, Mapping) and value:
                self.styled_line((title.rstrip(), "bold"))
                self._members(value, f"{indent}  ")
            elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
                self.styled_line((title.rstrip(), "bold"))
                for each in value:
                    self._item(each, indent)
            else:
                self.styled_line((title, "bold"), (cell(value), ""))

    def _item(self, value: object, indent: str) -> None:
        """One item of a list, with a dash."""
        if isinstance(value, Mapping) and value:
            self.line(f"{indent}  -")
            self._members(value, f"{indent}    ")
        else:
            self.line(f"{indent}  - {cell(value)}")

    def _json_list(self, items: Iterable[Document]) -> int:
        """One item a line, so that lines can be searched and the whole is one JSON document."""
        count = 0
        for item in items:
            text = json.dumps(item, ensure_ascii=False)
            self.stream.write(f"{',' if count else '['}\n{printable(text)}")
            self.stream.flush()
            count += 1
        self._print("\n]" if count else "[]")
        return count

    def _print(self, text: str) -> None:
        print(text, file=self.stream, flush=True)


def _yaml(document: Any) -> str:
    import yaml

    return yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=1000).rstrip("\n")
