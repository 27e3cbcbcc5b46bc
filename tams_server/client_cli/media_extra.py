"""What the media commands have in common: the extra that they need, and what to do next."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import CommandError


@contextmanager
def media_extra() -> Iterator[None]:
    """Run a media command. Raises CommandError that says what to install where PyAV is missing."""
    try:
        from tams_server.client_media.ffmpeg import silence
    except ImportError as error:
        raise CommandError(
            f"media commands need the extra media: pip install 'tams-server[media]' ({error})"
        ) from error
    silence()
    yield


def next_steps(context: Context, *steps: tuple[str, str]) -> None:
    """Print commands to go on with, each with what it does, and the address of the console."""
    if context.output.format != "table":
        return
    context.note("Next:")
    width = max(len(command) for command, _ in steps)
    for command, what in steps:
        context.note(f"  {command:{width}}  {what}")
    context.note(f"  {context.server().url.rstrip('/')}/console")


def quoted(text: str) -> str:
    """A word for a shell."""
    return shlex.quote(text)
