"""The metadata at TO: flows, the profiles that they link to, and their sources."""

import json

from tams_server.client import ApiError, AsyncClient, NotFound, calls
from tams_server.client.documents import Flow, Json, Source
from tams_server.replication.flow_documents import differs, is_other_flow, with_profile, without_profile
from tams_server.replication.problems import Conflict, Problem
from tams_server.replication.report import Report
from tams_server.replication.state import State


class FlowWriter:
    """Writes at TO what differs from FROM. dry_run: says what it would write."""

    def __init__(
        self, origin: AsyncClient, target: AsyncClient, state: State | None, report: Report, *, dry_run: bool = False
    ) -> None:
        self._origin = origin
        self._target = target
        self._state = state
        self._report = report
        self._dry_run = dry_run
        self._settled: dict[str, tuple[str, str]] = {}
        self._profiles: dict[str, bool] = {}
        self._planned: set[str] = set()

    async def find(self, flow: Flow) -> Flow | None:
        """The flow at TO. Raises Conflict if another flow has its id."""
        try:
            there = await self._target.send(calls.flow(flow["id"]))
        except NotFound:
            return None
        if reason := is_other_flow(flow, there):
            raise Conflict(f"another flow has this id: {reason}. Nothing of it is replicated")
        return there

    async def write(self, wanted: Flow, there: Flow | None) -> Flow:
        """Have the flow as wanted at TO, and return it as it is then. Raises Conflict, Problem.

        A server may alter what it stores, or keep versions of its own: what a PUT did not change is not put again.
        """
        if there is not None and (not differs(wanted, there) or self._is_settled(wanted, there)):
            return there
        flow_id = wanted["id"]
        if self._dry_run:
            if flow_id not in self._planned:
                self._planned.add(flow_id)
                self._report.say(f"would {'create' if there is None else 'update'} flow {flow_id}{_label(wanted)}")
            return wanted
        if there is not None and there.get("read_only"):
            await self.unlock(there)
        try:
            await self._target.send(calls.put_flow(await self._document(wanted, there)))
        except ApiError as error:
            raise Problem(f"TO rejects its metadata: {error}") from error
        now = await self._target.send(calls.flow(flow_id))
        self._settled[flow_id] = _fingerprint(wanted), _fingerprint(now)
        if self._state is not None and now.get("read_only") and now.get("metadata_version"):
            self._state.save_lock(flow_id, now["metadata_version"])
        self._report.flows_written += 1
        self._report.say(f"{'created' if there is None else 'updated'} flow {flow_id}{_label(wanted)}")
        return now

    async def unlock(self, there: Flow) -> None:
        """Make a read-only flow at TO writable, if a run has made it read-only and nobody has changed it since.

        Raises Conflict for any other.
        """
        locked = self._state.lock(there["id"]) if self._state is not None else None
        if locked is None or locked != there.get("metadata_version"):
            raise Conflict(
                "it is read_only at TO, and not by a replication. To replicate it all the same, set read_only to false"
                f" there: PUT /flows/{there['id']}/read_only"
            )
        if not self._dry_run:
            await self._target.send(calls.put_read_only(there["id"], False))

    async def delete(self, flow_id: str) -> None:
        """Delete a flow at TO that FROM has deleted. Raises Conflict if it is locked there, Problem if it cannot be."""
        try:
            there = await self._target.send(calls.flow(flow_id))
            if there.get("read_only"):
                await self.unlock(there)
            await self._target.send(calls.delete_flow(flow_id))
        except NotFound:
            return
        except ApiError as error:
            raise Problem(f"it is deleted at FROM, and cannot be deleted at TO: {error}") from error
        self._report.say(f"deleted flow {flow_id}, which is deleted at FROM")

    async def write_source(self, source_id: str) -> None:
        """Have label, description and tags of a source at TO as at FROM. Raises Problem if TO rejects them."""
        try:
            wanted, there = [await client.send(calls.source(source_id)) for client in (self._origin, self._target)]
        except NotFound:
            return  # gone at FROM by now, or TO has not created it in a dry run
        changes = list(_source_changes(wanted, there))
        if not changes:
            return
        if self._dry_run:
            self._report.say(f"would update source {source_id}{_label(dict(wanted))}")
            return
        try:
            for call in changes:
                await self._target.send(call)
        except ApiError as error:
            raise Problem(f"TO rejects its metadata: {error}") from error
        self._report.sources_written += 1
        self._report.say(f"updated source {source_id}{_label(dict(wanted))}")

    def _is_settled(self, wanted: Flow, there: Flow) -> bool:
        return self._settled.get(wanted["id"]) == (_fingerprint(wanted), _fingerprint(there))

    async def _document(self, wanted: Flow, there: Flow | None) -> Flow:
        profile_id = wanted.get("profile_id")
        if profile_id and await self._has_profile(profile_id):
            return with_profile(wanted)
        return without_profile(wanted, there)

    async def _has_profile(self, profile_id: str) -> bool:
        """Whether TO has the profile with the same metadata, if need be because it could be created."""
        if profile_id not in self._profiles:
            self._profiles[profile_id] = await self._copy_profile(profile_id)
        return self._profiles[profile_id]

    async def _copy_profile(self, profile_id: str) -> bool:
        try:
            profile = await self._origin.send(calls.profile(profile_id))
            try:
                there = await self._target.send(calls.profile(profile_id))
            except NotFound:
                await self._target.send(calls.create_profile(profile))
                self._report.say(f"created profile {profile_id}")
                return True
        except ApiError as error:
            self._report.say(f"profile {profile_id} is not replicated, and its flows state its metadata: {error}")
            return False
        return bool(there["flow_metadata"] == profile["flow_metadata"])


def _source_changes(wanted: Source, there: Source) -> "list[calls.Call[None]]":
    """The requests that make the source at TO like that at FROM."""
    found: list[calls.Call[None]] = []
    source_id, now, then = wanted["id"], dict(wanted), dict(there)
    for name in ("label", "description"):
        if now.get(name) is not None and now[name] != then.get(name):
            found.append(calls.put_source_member(source_id, name, str(now[name])))
        elif now.get(name) is None and then.get(name) is not None:
            found.append(calls.delete_source_member(source_id, name))
    tags, tags_there = wanted.get("tags") or {}, there.get("tags") or {}
    found += [calls.put_source_tag(source_id, name, tags[name]) for name in tags if tags[name] != tags_there.get(name)]
    found += [calls.delete_source_tag(source_id, name) for name in tags_there if name not in tags]
    return found


def _fingerprint(document: Json) -> str:
    return json.dumps(document, sort_keys=True)


def _label(document: Json) -> str:
    label = document.get("label")
    return f' "{label}"' if label else ""
