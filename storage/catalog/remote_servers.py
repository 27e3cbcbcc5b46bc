"""The protocol through which the catalogue reaches other servers. The application implements it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NoReturn, Protocol

from storage import error_codes
from storage.errors import Invalid


class Download(Protocol):
    """A response of another server, while its body is being received."""

    @property
    def size(self) -> int | None:
        """The announced size in bytes; None if it is unknown."""
        ...

    @property
    def content_type(self) -> str | None:
        """The announced content type; None if there is none."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The body, in chunks as they arrive. Raises: storage.errors.Unavailable if it breaks off."""
        ...


class Outbound(Protocol):
    """Access to other servers, within the rules on addresses that must not be reached (HOOK-POST-08)."""

    def check_url(self, url: str, field: str) -> None:
        """Reject a URL that must not be reached. Raises: storage.errors.Invalid for `field`."""
        ...

    def check_header(self, name: str, value: str) -> None:
        """Reject a header that must not be sent to other servers (HOOK-POST-14). Raises: storage.errors.Invalid."""
        ...

    def open(self, url: str) -> AbstractContextManager[Download]:
        """GET the URL. Raises: storage.errors.Invalid or Unavailable."""
        ...


class NoOutbound:
    """No access to other servers: every use raises storage.errors.Invalid."""

    def check_url(self, url: str, field: str) -> None:
        _reject(field)

    def check_header(self, name: str, value: str) -> None:
        _reject("api_key_name")

    def open(self, url: str) -> NoReturn:
        _reject("url")


def _reject(field: str) -> NoReturn:
    raise Invalid(
        f"{field} is not accepted: this service does not connect to other servers",
        code=error_codes.URL_NOT_ACCEPTED,
        field=field,
        behaviour="HOOK-POST-08",
    )
