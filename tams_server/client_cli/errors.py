"""What ends a command: an error in one line with what to do about it, and the exit status that it has."""

from tams_server.client import ApiError, ClientError, NotFound, Unreachable
from tams_server.client_media.errors import InvalidOption

OK = 0
FAILED = 1
WRONG_USE = 2
NOT_FOUND = 3
REFUSED = 4
UNREACHABLE = 5
INTERRUPTED = 130

EXIT_STATUS = """
Exit status: 0 success; 1 the command failed, or not all of it was done; 2 wrong use;
3 something that was named does not exist; 4 the server does not accept the credentials, or
they do not permit this; 5 the server cannot be reached; 130 interrupted.
"""
_REMEDIES = {
    401: "check the credentials of this server: tams context list",
    403: "the credentials lack a right that this needs: tams doctor shows their scopes",
    429: "the server limits its load: try again later",
}


class CommandError(Exception):
    """Ends a command. The message says what is wrong and what to do, in one line. status: the exit status."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


def explain(error: ClientError) -> CommandError:
    """The error of the client library with what to do about it, and its exit status."""
    if isinstance(error, Unreachable):
        return CommandError(f"{error}. Is the server running, and is its URL right? tams context list", UNREACHABLE)
    if not isinstance(error, ApiError):
        return CommandError(str(error), WRONG_USE if isinstance(error, InvalidOption) else FAILED)
    remedy = _REMEDIES.get(error.status)
    status = REFUSED if error.status in (401, 403) else NOT_FOUND if isinstance(error, NotFound) else FAILED
    return CommandError(f"{error}{f' ({remedy})' if remedy else ''}", status)
