"""Whether TO has the bytes that FROM has: by what both tell in headers, and by reading."""

from tams_server.client import AsyncClient, ClientError, calls
from tams_server.client.checksums import Digest, Told, told
from tams_server.client.documents import MediaObject
from tams_server.client.exchange import usable_urls
from tams_server.replication.problems import Conflict, Damaged, Problem
from tams_server.replication.report import Report

_CHUNK = 256 * 1024


class ObjectComparison:
    """Compares objects of the same id at both servers."""

    def __init__(self, origin: AsyncClient, target: AsyncClient, report: Report) -> None:
        self._origin = origin
        self._target = target
        self._report = report

    async def check(self, ours: MediaObject, theirs: MediaObject) -> None:
        """Raise Conflict if the object at TO is another one, by its properties, or by what both tell about the bytes.

        Where an ETag raises a doubt, both are read. What one of them has by reference only has no bytes there.
        """
        for name in ("timerange", "key_frame_count"):
            here, there = ours.get(name), theirs.get(name)
            if here is not None and there is not None and here != there:
                raise Conflict(f"TO has another object {ours['id']}: its {name} is {there}, not {here}")
        told_here, told_there = await self._told(self._origin, ours), await self._told(self._target, theirs)
        if told_here is None or told_there is None:
            return
        if told_here.size is not None and told_there.size is not None and told_here.size != told_there.size:
            raise Conflict(f"TO has another object {ours['id']}: {told_there.size:,} bytes, not {told_here.size:,}")
        if told_here.etag != told_there.etag and None not in (told_here.etag, told_there.etag):
            await self.reread(ours, theirs)

    async def reread(self, ours: MediaObject, theirs: MediaObject) -> None:
        """Read the object at both servers. Raises Conflict if the bytes differ, Problem if they cannot be read."""
        if not (_has_bytes(ours) and _has_bytes(theirs)):
            return
        digest = await self._read(self._origin, ours)
        await self.verify(theirs, digest, Conflict)

    async def verify(self, theirs: MediaObject, digest: Digest, error: type[Problem] = Damaged) -> None:
        """Read the object at TO. Raises `error` if its bytes have another checksum, Problem if they cannot be read."""
        found = await self._read(self._target, theirs)
        self._report.objects_reread += 1
        if found.value("sha-256") != digest.value("sha-256"):
            raise error(
                f"object {theirs['id']} has other bytes at TO: {found.size:,} with the sha-256"
                f" {found.value('sha-256').hex()}, not {digest.size:,} with {digest.value('sha-256').hex()}"
            )

    async def _told(self, client: AsyncClient, described: MediaObject) -> Told | None:
        """What the headers of the object's first URL tell; None without bytes or response."""
        if not _has_bytes(described):
            return None
        try:
            async with client.download(usable_urls(described["get_urls"])[0]) as response:
                return told(response.headers)
        except ClientError:
            return None

    async def _read(self, client: AsyncClient, described: MediaObject) -> Digest:
        failure: ClientError | None = None
        for get_url in usable_urls(described.get("get_urls") or []):
            digest = Digest()
            try:
                async with client.download(get_url) as response:
                    async for chunk in response.aiter_raw(_CHUNK):
                        digest.update(chunk)
                return digest
            except ClientError as error:
                failure = error
        raise Problem(f"object {described['id']} cannot be read to verify it: {failure or 'it has no URL'}")


async def both(origin: AsyncClient, target: AsyncClient, object_id: str) -> tuple[MediaObject, MediaObject]:
    """The object as both servers describe it."""
    call = calls.media_object(object_id)
    return await origin.send(call), await target.send(call)


def _has_bytes(described: MediaObject) -> bool:
    return any(each.get("controlled", True) for each in usable_urls(described.get("get_urls") or []))
