"""The documents of an ingest's flows and sources: written with the first segment, and closed after the last."""

from collections.abc import Iterator, Mapping

from storage.timerange import format_timestamp
from tams_server.client import Client, RetryPolicy, calls
from tams_server.client.documents import Json
from tams_server.client_media.ingest_options import IngestOptions
from tams_server.client_media.ingest_plan import (
    DAMAGE_TAG,
    Plan,
    PlannedFlow,
    collection,
    flow_document,
    label_of,
    member_document,
    multi_document,
)
from tams_server.client_media.segmenter import Cut


class FlowDocuments:
    """Writes the documents of a plan. created: ids of the flows with media that exist. Methods raise ClientError."""

    def __init__(self, client: Client, plan: Plan, options: IngestOptions, retry: RetryPolicy) -> None:
        self._client = client
        self._plan = plan
        self._options = options
        self._retry = retry
        self.created: set[str] = set()

    def of(self, flow: PlannedFlow, cut: Cut, start: str) -> Iterator[Json]:
        """The documents of a flow and, if it is muxed, of its essences before it. start: of the timeline, as text."""
        starts = {
            each.index: [frame.start for frame in cut.frames if frame.stream == each.index] for each in flow.streams
        }
        if self._plan.muxed:
            for member in self._plan.members:
                yield member_document(member, starts[member[2].index], self._options, start)
            document = flow_document(flow, [], self._options, start)
            yield {**document, "flow_collection": collection(self._plan)}
        else:
            yield flow_document(flow, starts[flow.primary.index], self._options, start)

    def create(self, flow: PlannedFlow, cut: Cut, start: int) -> None:
        """Create a flow with its source. cut: its first. start: of the timeline, in ns."""
        for document in self.of(flow, cut, format_timestamp(start)):
            self._client.send(calls.put_flow(document), self._retry)
            self._describe(document)
        self.created.add(flow.id)

    def collect(self, multi_id: str, start: int) -> None:
        """Create the flow that collects the others, of which all exist now; those without media are left out."""
        if not multi_id or self._plan.muxed:
            return
        document = multi_document(self._plan, self._options, format_timestamp(start))
        document["flow_collection"] = [each for each in document["flow_collection"] if each["id"] in self.created]
        self._client.send(calls.put_flow(document), self._retry)
        self._describe(document)

    def close(self, multi_id: str, status: str, rates: Mapping[str, tuple[int, int]], damage: str) -> None:
        """Give all flows their last status. rates: average and maximum by flow, in kbit/s. damage: in words, or ""."""
        ids = [flow.id for flow in self._plan.flows if flow.id in self.created]
        ids += [flow_id for flow_id, _, _ in self._plan.members] if self._plan.muxed else []
        ids += [multi_id] if multi_id and not self._plan.muxed else []
        for flow_id in ids:
            document = self._client.send(calls.flow(flow_id), self._retry)
            document["status"] = status
            if damage:
                document["tags"] = {**document.get("tags", {}), DAMAGE_TAG: damage}
            if flow_id in rates:
                document["avg_bit_rate"], document["max_bit_rate"] = rates[flow_id]
            self._client.send(calls.put_flow(document), self._retry)

    def _describe(self, document: Json) -> None:
        source_id, format_ = document["source_id"], document["format"]
        label = label_of(self._options, format_.rpartition(":")[2])
        self._client.send(calls.put_source_member(source_id, "label", label), self._retry)
        if self._options.description:
            self._client.send(calls.put_source_member(source_id, "description", self._options.description), self._retry)
        for name, value in self._options.tags.items():
            self._client.send(calls.put_source_tag(source_id, name, value), self._retry)
