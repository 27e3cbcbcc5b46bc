"""What can go wrong between this server and a cluster, in storage's words."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from vastdb import _internal, errors

from storage.errors import Contended, Unavailable

_log = logging.getLogger(__name__)


class Foreign(Exception):
    """An answer that is not the cluster's own, but that of something between it and this server."""


OUTAGES_OF_ITS_OWN = (errors.InternalServerError, errors.RequestTimeout, errors.InsufficientCapacity)
OUTAGES = (
    *OUTAGES_OF_ITS_OWN,
    Foreign,
    errors.ConnectionError,
    errors.ServiceUnavailable,
    errors.Forbidden,
    errors.ApiResponseError,
    _internal.QueryDataInternalError,
    _internal.UnsupportedServer,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    EOFError,
)


class UnknownOutcome(Exception):
    """A commit was sent, and what became of it is not known."""


@contextmanager
def recognised() -> Iterator[None]:
    """Raises Foreign instead of an error that has no code of a cluster's, or a status that the SDK does not know."""
    try:
        yield
    except errors.HttpError as error:
        if error.code is not None:
            raise
        raise Foreign(f"status {error.status}") from error
    except ValueError as error:
        if errors.HttpStatus.__name__ not in str(error):
            raise
        raise Foreign(str(error)) from error


@contextmanager
def translated() -> Iterator[None]:
    """Raises Contended for a race that was lost and Unavailable for an outage, both with nothing written."""
    try:
        with recognised():
            yield
    except errors.Conflict as error:
        raise Contended("another request is changing the same thing") from error
    except errors.NotFound as error:
        if "ransaction" not in (error.code or ""):
            raise
        raise Contended("the transaction took too long and was given up") from error
    except OUTAGES as error:
        _log.error("VAST database: %s", told(error))
        raise Unavailable("the catalogue cannot be reached or written at the moment") from error


def told(error: BaseException) -> str:
    """An error in one line, without the headers of the request, which the SDK shows."""
    if isinstance(error, errors.HttpError):
        return f"{error.status} {error.code}: {error.message}"
    if isinstance(error, errors.ConnectionError):
        return f"{type(error.cause).__name__}: {error.cause}"
    return f"{type(error).__name__}: {error}"
