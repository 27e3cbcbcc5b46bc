"""Commands of the server, in the process of a test."""

from tests.logging_state import kept_logging


def run_command(*arguments: str) -> int:
    """Run `tams-server` with these arguments, and return its exit status."""
    from tams_server.cli.main import main

    with kept_logging():
        return main(arguments)
