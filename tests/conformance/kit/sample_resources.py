"""One resource of each kind, with every member set, on which any operation can be tried."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, fill_path
from tests.conformance.kit.profiles import make_profile, profile
from tests.conformance.kit.service import offers_webhooks
from tests.conformance.kit.webhooks import make_webhook, webhook

TAG = "kit"
_STATE_PATHS = (
    "/service",
    "/service/profiles/{profileId}",
    "/sources/{sourceId}",
    "/flows/{flowId}",
    "/flows/{flowId}/segments?accept_get_urls=",
    "/objects/{objectId}?accept_get_urls=",
)


@dataclass(frozen=True, slots=True)
class SampleResources:
    """One resource of each kind. values: the path parameters of operations, by name.

    The id of the delete request names none; so does that of the webhook if the server has no webhooks.
    """

    values: Mapping[str, str]
    flow: Json

    def url(self, operation: Operation) -> str:
        return operation.url(self.values)

    def body(self, operation: Operation) -> Any:
        """A valid body for the operation, or None if it takes no body."""
        name = operation.path.rpartition("/")[2]
        bodies: dict[str, Any] = {
            "{name}": "news",
            "description": "text",
            "label": "text",
            "read_only": False,
            "flow_collection": [],
            "max_bit_rate": 6000,
            "avg_bit_rate": 5000,
            "{flowId}": self.flow,
            "service": {"name": "text"},
            "segments": {"object_id": self.values["objectId"], "timerange": "[20:0_30:0)"},
            "storage": {"limit": 1},
            "instances": {"url": "https://media.example.com/copy", "label": "copy"},
            "{profileId}": profile(id=self.values["profileId"]),
            "webhooks": webhook(),
            "{webhookId}": webhook(id=self.values["webhookId"]),
        }
        return bodies[name] if operation.body else None

    def state(self, tams: TamsClient) -> list[Any]:
        """The current documents of the resources, for comparison with a later state."""
        responses = [tams.get(fill_path(path, self.values)) for path in _STATE_PATHS]
        assert [response.status_code for response in responses] == [200] * len(responses)
        return [response.json() for response in responses]


def make_sample_resources(tams: TamsClient) -> SampleResources:
    """Make a flow that collects another, its source, a segment, an object, tags, a profile and a webhook."""
    texts = {"label": "a label", "description": "a description", "tags": {TAG: "news"}}
    members = [{"id": tams.make_flow(flow(AUDIO))["id"], "role": "sound"}]
    made = tams.make_flow(flow(**texts, read_only=False, max_bit_rate=6000, flow_collection=members))
    source_id = made["source_id"]
    for member, value in (("label", "a label"), ("description", "a description"), (f"tags/{TAG}", "news")):
        assert tams.put(f"/sources/{source_id}/{member}", value).status_code == 204
    [segment] = tams.make_segments(made["id"], ["[0:0_10:0)"])
    values = {
        "flowId": made["id"],
        "sourceId": source_id,
        "objectId": segment["object_id"],
        "profileId": make_profile(tams)["id"],
        "webhookId": make_webhook(tams)["id"] if offers_webhooks(tams) else fresh(),
        "request-id": fresh(),
        "name": TAG,
    }
    return SampleResources(values, made)
