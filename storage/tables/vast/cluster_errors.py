"""Errors of the SDK, and their translation into storage's errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import requests
import urllib3
from vastdb import errors

from storage.errors import Contended, Unavailable
from storage.tables.vast.sdk_internals import RESPONSE_ERRORS

_log = logging.getLogger(__name__)


class ProxyError(Exception):
    """An error response that does not come from the cluster but from a proxy or gateway in front of it."""


CLUSTER_FAILURES = (errors.InternalServerError, errors.RequestTimeout, errors.InsufficientCapacity)
"""Outages that the cluster itself reports."""

OUTAGES = (
    *CLUSTER_FAILURES,
    ProxyError,
    errors.ConnectionError,
    errors.ServiceUnavailable,
    errors.Forbidden,
    errors.ApiResponseError,
    *RESPONSE_ERRORS,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    EOFError,
)


class UnknownOutcome(Exception):
    """A commit got no response, so it may or may not have taken effect."""


@contextmanager
def detect_proxy_errors() -> Iterator[None]:
    """Raise ProxyError for an error without a cluster's error code, or with a status that the SDK does not know."""
    try:
        yield
    except errors.HttpError as error:
        if error.code is not None:
            raise
        raise ProxyError(f"status {error.status}") from error
    except ValueError as error:
        if errors.HttpStatus.__name__ not in str(error):
            raise
        raise ProxyError(str(error)) from error


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise Contended for a lost race and Unavailable for an outage. In both cases nothing was written."""
    try:
        with detect_proxy_errors():
            yield
    except errors.Conflict as error:
        raise Contended("another request is changing the same data") from error
    except errors.NotFound as error:
        if "ransaction" not in (error.code or ""):
            raise
        raise Contended("the transaction took too long, and the database ended it") from error
    except OUTAGES as error:
        _log.error("VAST database: %s", describe_error(error))
        raise Unavailable("the catalogue cannot be reached or written at the moment") from error


def describe_error(error: BaseException) -> str:
    """One line about an error, without the request headers that the SDK includes in its text."""
    if isinstance(error, errors.HttpError):
        return f"{error.status} {error.code}: {error.message}"
    if isinstance(error, errors.ConnectionError):
        return f"{type(error.cause).__name__}: {error.cause}"
    return f"{type(error).__name__}: {error}"
