"""The seam between the catalogue and other servers: what it asks of them, and never how."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import NoReturn, Protocol

from storage.errors import Invalid


class Download(Protocol):
    """Bytes on their way from another server."""

    @property
    def size(self) -> int | None:
        """Bytes, as announced; None where they are not."""
        ...

    @property
    def content_type(self) -> str | None:
        """As announced."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The bytes; each piece as it comes. Raises storage.errors.Unavailable where they end too early."""
        ...


class Outbound(Protocol):
    """How this service reaches other servers, by the rules for addresses that it must not reach (HOOK-POST-08)."""

    def check_url(self, url: str, field: str) -> None:
        """Raises storage.errors.Invalid, naming `field`, for a URL that must not be reached."""
        ...

    def check_header(self, name: str, value: str) -> None:
        """Raises storage.errors.Invalid for a header that must not be sent to others (HOOK-POST-14)."""
        ...

    def open(self, url: str) -> AbstractContextManager[Download]:
        """Get what is at `url`. Raises storage.errors.Invalid or Unavailable."""
        ...


class NoOutbound:
    """For a catalogue that reaches nobody."""

    def check_url(self, url: str, field: str) -> None:
        _refuse(field)

    def check_header(self, name: str, value: str) -> None:
        _refuse("api_key_name")

    def open(self, url: str) -> NoReturn:
        _refuse("url")


def _refuse(field: str) -> NoReturn:
    raise Invalid("this service reaches no other servers", field=field, behaviour="HOOK-POST-08")
