"""What the commands print: the one place where text of clients reaches a terminal."""

import sys

from tams_server.logs import printable


def print_line(text: str, *, error: bool = False) -> None:
    """Print one line, whatever is in `text`. error: to standard error."""
    print(printable(text), file=sys.stderr if error else sys.stdout, flush=True)


def print_lines(text: str, *, error: bool = False) -> None:
    """Print a text whose line breaks are our own, such as indented JSON."""
    for line in text.split("\n"):
        print_line(line, error=error)
