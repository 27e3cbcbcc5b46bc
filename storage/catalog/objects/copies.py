"""Copies of objects on further storage backends (OBJ-INST-POST-01 to -06).

A copy is a job that the request itself carries out, so that its answer tells how it went. When its process dies, the
job's lease runs out and a worker carries it on. The copy is named as an instance once it is whole, and was read back.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from storage.catalog.environment import Environment
from storage.catalog.jobs import COPY, Claim, Jobs, LostLease, copy_key
from storage.catalog.objects import objects
from storage.catalog.objects.byte_removal import schedule_removal
from storage.catalog.remote_servers import Download
from storage.catalog.retry import retried
from storage.errors import Invalid, NotFound, TamsError, Unavailable
from storage.media.object_store import ObjectStore
from storage.tables.conditions import equals
from storage.tables.engine import Row, Writer

_CHUNK = 1 << 20
"""Bytes copied at a time."""


@dataclass(slots=True)
class _Origin:
    """Where the bytes come from, with what is known of them. size: in bytes, or None."""

    chunks: Iterable[bytes]
    size: int | None
    content_type: str | None


class Copies:
    def __init__(self, env: Environment) -> None:
        self._env = env
        self._jobs = Jobs(env)

    def copy(self, object_id: str, storage_id: str) -> None:
        """Copy the bytes to another backend, and name the copy once it is whole.

        Raises NotFound, Invalid, or Unavailable where a place of the bytes cannot be reached; then nothing is left.
        """
        self._env.store(storage_id, "OBJ-INST-POST-05")
        claim = self._start(object_id, storage_id)
        try:
            self.step(claim)
        except LostLease:
            raise Unavailable("the copy took too long and was handed to a background worker") from None
        except BaseException:
            self._forget(claim)
            raise

    def step(self, claim: Claim) -> bool:
        """Carry a copy out, from its start. False: nothing of it is left to do. Raises LostLease, or TamsError."""
        object_id, storage_id = claim.doc["object_id"], claim.doc["storage_id"]
        target = self._env.store(storage_id, "OBJ-INST-POST-05")
        with self._env.engine.read() as tx:
            row = objects.find(tx, object_id)
            instances = tx.select("instances", equals(object_id=object_id), order=("object_id", "instance"))
            flow = tx.get("flows", id=row["flow_id"])
        declared = row["content_type"] or (flow or {}).get("container")
        self._carry_over(claim, object_id, instances, declared, target)
        self._show(claim, object_id, storage_id)
        return False

    @retried
    def give_up(self, claim: Claim) -> None:
        """Forget a copy that cannot be made, and what there may be of its bytes."""
        with self._env.engine.write() as tx:
            self._jobs.keep(tx, claim)
            self._drop(tx, claim)

    @retried
    def _start(self, object_id: str, storage_id: str) -> Claim:
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            objects.find(tx, object_id)
            key = copy_key(storage_id, object_id)
            here = tx.get("instances", object_id=object_id, instance=storage_id)
            if here or tx.get("jobs", kind=COPY, key=key):
                raise Invalid(
                    f"object {object_id!r} has an instance on storage backend {storage_id} already, or one that is"
                    " just being made",
                    field="storage_id",
                    behaviour="OBJ-INST-POST-06",
                )
            if tx.get("garbage", object_id=object_id, storage_id=storage_id):
                raise Unavailable(
                    f"what there was of object {object_id!r} on storage backend {storage_id} is still being removed"
                )
            return self._jobs.start(tx, "request", COPY, key, {"object_id": object_id, "storage_id": storage_id})

    def _carry_over(
        self, claim: Claim, object_id: str, instances: Iterable[Row], declared: str | None, target: ObjectStore
    ) -> None:
        """Bring the bytes over from the first place that has them, controlled ones before others."""
        problems: list[TamsError] = []
        for instance in sorted(instances, key=lambda row: row["storage_id"] is None):
            source = self._env.stores.get(instance["storage_id"] or "")
            try:
                if source is not None and target.copy_from(source, object_id):
                    return
                with self._origin(object_id, instance) as origin:
                    if origin is None:
                        continue
                    content_type = declared or origin.content_type or "application/octet-stream"
                    self._write(claim, object_id, origin, content_type, target)
                    return
            except (Invalid, NotFound, Unavailable) as error:
                problems.append(error)
        reasons = "".join(f"; {problem.message}" for problem in problems)
        message = f"object {object_id!r} could not be copied from any place{reasons}"
        if any(isinstance(problem, Unavailable) for problem in problems):
            raise Unavailable(message)
        raise Invalid(message, field="storage_id", behaviour="OBJ-INST-POST-04")

    @contextmanager
    def _origin(self, object_id: str, instance: Row) -> Iterator[_Origin | None]:
        if instance["storage_id"] is None:
            with ExitStack() as stack:
                with _of_the_source():
                    download = stack.enter_context(self._env.outbound.open(instance["url"]))
                yield _Origin(_downloaded(download), None, download.content_type)
            return
        source = self._env.stores.get(instance["storage_id"])
        stored = source.stat(object_id) if source else None
        if source is None or stored is None:
            yield None
            return
        with source.open(object_id) as file:
            yield _Origin(_pieces(file), stored.size, stored.content_type)

    def _write(self, claim: Claim, object_id: str, origin: _Origin, content_type: str, target: ObjectStore) -> None:
        """Stream the bytes over, then read them back: size and checksum must be those of what came."""
        digest = hashlib.sha256()
        size = 0

        def passing() -> Iterator[bytes]:
            nonlocal size
            for piece in self._kept_alive(claim, origin.chunks):
                digest.update(piece)
                size += len(piece)
                yield piece
            if origin.size is not None and size != origin.size:
                raise Unavailable(f"{size} bytes came of {origin.size}")

        target.write(object_id, content_type, passing())
        copied = hashlib.sha256()
        with target.open(object_id) as file:
            for piece in self._kept_alive(claim, _pieces(file)):
                copied.update(piece)
        if copied.digest() != digest.digest():
            target.delete(object_id)
            raise Unavailable("the bytes that were written are not those that were read")

    def _kept_alive(self, claim: Claim, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The pieces, while the lease is renewed."""
        renewed = time.monotonic()
        for piece in pieces:
            if time.monotonic() - renewed > self._jobs.lease_s / 3:
                self._jobs.renew(claim)
                renewed = time.monotonic()
            yield piece

    @retried
    def _show(self, claim: Claim, object_id: str, storage_id: str) -> None:
        """Name the copy as an instance."""
        with self._env.engine.write() as tx:
            tx.lock(f"object:{object_id}")
            self._jobs.finish(tx, claim)
            objects.find(tx, object_id)
            instance = {"object_id": object_id, "instance": storage_id, "storage_id": storage_id}
            tx.insert("instances", [{**instance, "created": self._env.clock()}])

    @retried
    def _forget(self, claim: Claim) -> None:
        with self._env.engine.write() as tx:
            self._drop(tx, claim)

    def _drop(self, tx: Writer, claim: Claim) -> None:
        """Give up the job, and the bytes that may be there."""
        if tx.delete("jobs", claim.held):
            schedule_removal(tx, self._env.clock(), [(claim.doc["storage_id"], claim.doc["object_id"])])


@contextmanager
def _of_the_source() -> Iterator[None]:
    """That another server cannot be reached is a fault of the URL, not an outage of this service."""
    try:
        yield
    except Unavailable as error:
        raise Invalid(error.message, field="storage_id", behaviour="OBJ-INST-POST-04") from error


def _downloaded(download: Download) -> Iterator[bytes]:
    """The bytes, which must be as many as was announced."""
    size = 0
    with _of_the_source():
        for piece in download.chunks():
            size += len(piece)
            yield piece
        if download.size not in (None, size):
            raise Unavailable(f"{size} bytes came of {download.size}")


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
