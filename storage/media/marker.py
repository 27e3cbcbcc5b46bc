"""The marker of a storage backend: a file or an object with its id, and with that of the installation it belongs to.

It tells the place from any other. Without it, a folder whose file system is not mounted, or another bucket of the same
name, would look like a backend without objects; and an empty catalogue, beside the media of the one that was lost, like
a new installation. The marker is written when a backend is first used. From then on a place without it, or with that of
another backend or installation, is an outage.

Earlier releases wrote no markers, or without an installation. So one is also written to a place that has objects
already, if the catalogue knows objects there. A place that is empty although the catalogue knows objects there is
refused, until somebody writes the marker; and so is a place with objects of which the catalogue knows none.
"""

import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.errors import NotFound, Unavailable
from storage.media.durable_files import sync_directory
from storage.media.s3_client import Connection
from storage.media.s3_keys import id_of

_log = logging.getLogger(__name__)

FILE_NAME = "tams-backend"
KEY = "!tams-backend"
"""No name has this key (storage.media.s3_keys): an exclamation mark begins an escape or an extension with a slash."""

_FILE_MODE = 0o640
_LISTED = 100
"""Keys among which one of ours is looked for."""
_MAX_BYTES = 200
_SHOWN = 64
_NO_MARKER = "there is no marker in its place; is it mounted?"
_VALID_S = 60.0
"""How long a bucket counts as that of the backend after a check: what is written in between is at risk."""
_PAUSE_S = 30.0
"""Between two checks of a bucket that does not respond, by those who do not need it to respond."""


class UnknownPlace(Unavailable):
    """The place is not that of the storage backend. advice: what an operator can do, with details not for clients."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class ForeignPlace(UnknownPlace):
    """The place belongs to another installation, or the catalogue is not the one that knows its objects."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The catalogue to which the objects of a store belong.

    is_used: whether it knows objects on this backend. Called only where the marker does not say enough; may raise.
    installation: the id of its installation; None to accept that of any.
    """

    is_used: Callable[[], bool] = lambda: False
    installation: str | None = None


NO_OWNER = Owner()
"""A catalogue that knows no objects yet."""


class Marker(ABC):
    """backend_id: what the marker says. name: of the store, for messages. place: of the marker, for operators."""

    def __init__(self, backend_id: str, name: str, place: str, owner: Owner) -> None:
        self._backend_id = backend_id
        self._name = name
        self._place = place
        self._owner = owner
        self._was_seen = False
        self._reported = ""

    def verify(self) -> None:
        """Read the marker; write it at the first use. Raises UnknownPlace, NotFound, Unavailable or OSError."""
        backend_id, installation = self._read()
        if backend_id is None and self._was_seen:
            raise self._refusal(_NO_MARKER)
        if backend_id not in (None, self._backend_id):
            raise self._refusal("its place has the marker of another storage backend")
        ours = self._owner.installation
        if backend_id is None or (installation is None and ours is not None):
            self._claim(is_marked=backend_id is not None)
        elif ours is not None and installation is not None and installation != ours:
            raise self._refusal(
                f"its place belongs to the installation {installation[:_SHOWN]}, and this catalogue to {ours};"
                " is it the right catalogue?",
                ForeignPlace,
            )
        self._was_seen = True
        self._reported = ""

    def _claim(self, *, is_marked: bool) -> None:
        """Write the marker to a place that has none, or one without an installation."""
        has_objects = self._has_objects()
        is_used = (not has_objects and is_marked) or self._owner.is_used()
        if is_used and not has_objects and not is_marked:
            raise self._refusal(_NO_MARKER)
        if has_objects and not is_used and self._owner.installation is not None:
            raise self._refusal(
                "it has objects, of which the catalogue knows none; is it the right catalogue?", ForeignPlace
            )
        self._write("".join(f"{line}\n" for line in self._lines))

    @property
    def _lines(self) -> list[str]:
        """The lines of the marker."""
        return [self._backend_id] + ([self._owner.installation] if self._owner.installation else [])

    def _refusal(self, reason: str, kind: type[UnknownPlace] = UnknownPlace) -> UnknownPlace:
        lines = " and, in the next line, ".join(self._lines)
        advice = f"if {self._place} is the right place, have it hold the id {lines}"
        if self._reported != reason:
            self._reported = reason
            _log.error("%s is unavailable: %s (%s)", self._name, reason, advice)
        return kind(f"{self._name} is unavailable: {reason}", advice)

    def _read(self) -> tuple[str | None, str | None]:
        """The ids of the backend and of the installation in the marker; None where there is none."""
        text = self._read_text()
        if text is None:
            return None, None
        backend_id, *others = text.split() or [""]
        return backend_id, others[0] if others else None

    @abstractmethod
    def _read_text(self) -> str | None:
        """The text of the marker; None if there is none."""

    @abstractmethod
    def _write(self, text: str) -> None:
        """Write the marker durably."""

    @abstractmethod
    def _has_objects(self) -> bool:
        """Whether there is at least one object."""


class FolderMarker(Marker):
    """The marker of a backend in a folder. Safe for threads and processes."""

    def __init__(self, root: Path, backend_id: str, name: str, owner: Owner) -> None:
        super().__init__(backend_id, name, f"the file {root / FILE_NAME}", owner)
        self._root = root
        self._file = str(root / FILE_NAME)
        self._held: tuple[int, int] | None = None

    @property
    def may_create_root(self) -> bool:
        """Whether a folder that is missing has not been used before."""
        return not self._was_seen and not self._owner.is_used()

    def check(self) -> None:
        """Raise UnknownPlace, or another error, unless the folder is that of the backend. A microsecond."""
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            status = None
        if status is None or self._held != (status.st_dev, status.st_ino):
            self.verify()
            status = os.stat(self._file)
            self._held = status.st_dev, status.st_ino

    def missing(self) -> UnknownPlace:
        """The error for a folder that does not exist although it has been used."""
        return self._refusal("its folder does not exist; is it mounted?")

    def _read_text(self) -> str | None:
        try:
            return Path(self._file).read_text("ascii", "replace")
        except FileNotFoundError:
            return None

    def _write(self, text: str) -> None:
        temporary = f"{self._file}.{os.getpid()}"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
        try:
            os.write(fd, text.encode("ascii"))
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, self._file)
        sync_directory(self._root)

    def _has_objects(self) -> bool:
        objects = self._root / "objects"
        return any(files for _, _, files in os.walk(objects))


class BucketMarker(Marker):
    """The marker of a backend in a bucket, under a prefix. Safe for threads and processes."""

    def __init__(
        self,
        connection: Connection,
        bucket: str,
        prefix: str,
        backend_id: str,
        name: str,
        owner: Owner,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(backend_id, name, f"the object {prefix + KEY} in the bucket {bucket}", owner)
        self._connection = connection
        self._prefix = prefix
        self._clock = clock
        self._verified_until = clock()
        self._try_again_at = 0.0

    def check(self) -> None:
        """Raise UnknownPlace or Unavailable unless the bucket is that of the backend. A request."""
        started = self._verified_until = self._clock()
        try:
            self.verify()
        except NotFound:
            raise Unavailable(f"{self._name} is unavailable") from None
        self._verified_until = started + _VALID_S

    def require(self) -> None:
        """The same, unless the last check of this process has succeeded and is not old."""
        if self._clock() >= self._verified_until:
            self.check()

    def refuse_unknown_place(self) -> None:
        """Raise UnknownPlace if the bucket is known not to be that of the backend. An outage is left to clients."""
        if self._clock() < max(self._verified_until, self._try_again_at):
            return
        try:
            self.check()
        except UnknownPlace:
            raise
        except Unavailable:
            self._try_again_at = self._clock() + _PAUSE_S

    def _read_text(self) -> str | None:
        try:
            body = self._connection.call_briefly("get_object", Key=self._prefix + KEY)["Body"]
        except NotFound:
            return None
        try:
            return str(body.read(_MAX_BYTES).decode("ascii", "replace"))
        except Exception as error:  # botocore has no common base for errors while it reads
            raise self._connection.outage("get_object", error) from error

    def _write(self, text: str) -> None:
        body = text.encode("ascii")
        self._connection.call_briefly("put_object", Key=self._prefix + KEY, Body=body, ContentType="text/plain")

    def _has_objects(self) -> bool:
        page = self._connection.call_briefly("list_objects_v2", Prefix=self._prefix, MaxKeys=_LISTED)
        return any(id_of(self._prefix, entry["Key"]) is not None for entry in page.get("Contents", ()))
