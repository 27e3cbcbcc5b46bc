"""One of everything that has a path of its own, with every member set, to try each operation on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, Json, flow
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.operations import Operation, filled
from tests.conformance.kit.profiles import make_profile, profile
from tests.conformance.kit.service import offers_webhooks
from tests.conformance.kit.webhooks import make_webhook, webhook

TAG = "kit"
_WATCHED = (
    "/service",
    "/service/profiles/{profileId}",
    "/sources/{sourceId}",
    "/flows/{flowId}",
    "/flows/{flowId}/segments?accept_get_urls=",
    "/objects/{objectId}?accept_get_urls=",
)


@dataclass(frozen=True, slots=True)
class OneOfEach:
    """values: what to put into the paths of operations; there is no delete request by that id, and no webhook where the
    server has none."""

    values: Mapping[str, str]
    flow: Json

    def url(self, operation: Operation) -> str:
        return operation.url(self.values)

    def body(self, operation: Operation) -> Any:
        """A body that the operation would take; for a new profile, one with a fresh id."""
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
        """All of it as the server shows it now, to be compared with later."""
        answers = [tams.get(filled(path, self.values)) for path in _WATCHED]
        assert [answer.status_code for answer in answers] == [200] * len(answers)
        return [answer.json() for answer in answers]


def make_one_of_each(tams: TamsClient) -> OneOfEach:
    """A flow that collects another, with its source, a segment, an object and tags; a profile; and a webhook."""
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
    return OneOfEach(values, made)
