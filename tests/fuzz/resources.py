"""The resources on a fuzzed server: one of everything that a path or body can name, with repeatable ids.

Only the ids of webhooks differ between runs, because the server chooses them.
"""

from typing import Any
from urllib.parse import quote, unquote
from uuid import NAMESPACE_URL, UUID, uuid5

import httpx

from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, TECHNICAL, VIDEO, Json, flow, init_flow
from tests.conformance.kit.events import ALL
from tests.conformance.kit.polling import wait_until
from tests.conformance.kit.webhooks import LISTING as WEBHOOKS

NO_LISTENER = "http://127.0.0.1:9/"
"""A URL at which nothing listens."""
CLIENT_ID, CLIENT_SECRET = "fuzz", "the secret of the client"
"""Of the client that fetches tokens."""
TAG = "colour"
COPIES = ("copy", "spare copy")
"""Labels of the instances of every object with a segment. All are uncontrolled."""


class Resources:
    """Creates its resources, and recreates those that a case destroyed.

    name: resources of other names are independent. receiver_url: the URL of its webhooks, on this machine.
    webhooks: their bodies, by id. extra_webhooks: ids of further ones, which `repair` and `restore` delete.
    """

    def __init__(self, client: httpx.Client, name: str, receiver_url: str) -> None:
        self.client = client
        self.receiver_url = receiver_url
        self.webhooks: dict[str, Json] = {}
        self.extra_webhooks: list[str] = []
        self._name = name
        self.profile_id = self.id("profile")
        self.storage_id: str = self._request("GET", "/service/storage-backends").json()[0]["id"]
        self.flows = {document["id"]: document for document in self._flow_documents()}
        self._segments = self._segment_documents()
        self.free_objects = [f"{name} free {number}" for number in range(4)]
        self.init_object = f"{name} init"
        self._make()
        self.delete_request_id = self._make_delete_request()

    def id(self, what: str) -> str:
        """The UUID for a name within these resources."""
        return str(UUID(bytes=uuid5(NAMESPACE_URL, f"{self._name}/{what}").bytes, version=4))

    @property
    def sources(self) -> list[str]:
        return list(dict.fromkeys(document["source_id"] for document in self.flows.values()))

    @property
    def objects(self) -> list[str]:
        """The ids of objects with segments."""
        return [segment["object_id"] for segments in self._segments.values() for segment in segments]

    @property
    def timeranges(self) -> list[str]:
        """The timeranges of segments."""
        return [segment["timerange"] for segments in self._segments.values() for segment in segments]

    def writable_flows(self, format_: str | None) -> list[str]:
        """The ids of the flows of this format that are not read-only."""
        return [id_ for id_, flow in self.flows.items() if flow.get("format") == format_ and not flow.get("read_only")]

    def page_key(self, path: str, query: Json) -> str | None:
        """The key of the second page of a listing, or None if it has only one page."""
        response = self.client.get(path, params={**query, "limit": 1})
        key: str | None = response.headers.get("X-Paging-NextKey")
        return key

    def repair(self, path: str, parameters: Json) -> None:
        """Recreate what a change at `path` may have destroyed.

        path: as in the document, with names in braces. parameters: their percent-encoded values.
        """
        parameters = {name: unquote(str(value)) for name, value in parameters.items()}
        document = self.flows.get(parameters.get("flowId", ""))
        if path.startswith(WEBHOOKS):
            self._restore_webhooks()
        elif "{objectId}" in path and parameters.get("objectId") in self.objects:
            self._add_instances(parameters["objectId"])
        elif "{sourceId}" in path and parameters.get("sourceId") in self.sources:
            if path == "/sources/{sourceId}":
                self._remake_flows(parameters["sourceId"])
            self._describe_source(parameters["sourceId"])
        elif document is not None:
            self.client.put(f"/flows/{document['id']}/read_only", json=False)
            if path in ("/flows/{flowId}", "/flows/{flowId}/segments") or "timerange" in parameters:
                self.client.delete(f"/flows/{document['id']}")
            self._make_flow(document)

    def restore(self) -> None:
        """Recreate missing flows and webhooks."""
        for document in self.flows.values():
            if self.client.head(f"/flows/{document['id']}").status_code == 404:
                self._make_flow(document)
        self._restore_webhooks()

    def unlock(self) -> None:
        """Make all flows writable that are not meant to be read-only."""
        for document in self.flows.values():
            if not document.get("read_only"):
                self._request("PUT", f"/flows/{document['id']}/read_only", False)

    def delete_webhooks(self) -> None:
        """Delete all webhooks, so that nothing more is sent to them."""
        for id_ in (*self.webhooks, *self.extra_webhooks):
            self.client.delete(f"{WEBHOOKS}/{id_}")

    def webhook(self, **members: Any) -> Json:
        """A valid body for a webhook that receives only events of these resources."""
        return {
            "url": self.receiver_url,
            "events": list(ALL),
            "flow_ids": list(self.flows),
            "source_ids": self.sources,
            "api_key_name": "X-Key",
            "api_key_value": "a secret",
            "tags": {TAG: ["red"]},
            "status": "created",
            **members,
        }

    # -- Creation

    def _flow_documents(self) -> list[Json]:
        described = {"label": "a label", "description": "a description", "tags": {TAG: ["red"]}, "max_bit_rate": 6000}
        formats = {"video": VIDEO, "audio": AUDIO, "image": IMAGE, "data": DATA}
        documents = [flow(format_, id=self.id(what), **described) for what, format_ in formats.items()]
        members = [{"id": each["id"], "role": each["format"].rpartition(":")[2]} for each in documents[:2]]
        documents += [
            flow(MULTI, id=self.id("multi"), flow_collection=members, **described),
            init_flow(id=self.id("init")),
            {"id": self.id("linked"), "source_id": self.id("source of linked"), "profile_id": self.profile_id},
            flow(VIDEO, id=self.id("locked"), read_only=True),
        ]
        for document in documents:
            document["source_id"] = self.id(f"source of {document['id']}")
        return documents

    def _segment_documents(self) -> dict[str, list[Json]]:
        return {
            self.id(what): [
                self._segment(f"{self._name} {what}/{n} é%", f"[{10 * n}:0_{10 * n + 10}:0)") for n in range(count)
            ]
            for what, count in (("video", 3), ("audio", 1), ("locked", 1))
        }

    def _segment(self, object_id: str, timerange: str) -> Json:
        copies = self._copies(object_id)
        return {"object_id": object_id, "timerange": timerange, "get_urls": copies, "tags": {TAG: ["red"]}}

    def _copies(self, object_id: str) -> list[Json]:
        url = f"https://media.example.com/{quote(object_id, safe='')}"
        return [{"url": f"{url}?{quote(label)}", "label": label} for label in COPIES]

    def _make(self) -> None:
        profile = {"id": self.profile_id, "flow_metadata": TECHNICAL[VIDEO], "label": "a label", "tags": {TAG: ["red"]}}
        self._request("POST", f"/service/profiles/{self.profile_id}", profile)
        for document in self.flows.values():
            self._make_flow(document)
        video, init = self.id("video"), self.id("init")
        self._request("POST", f"/flows/{video}/storage", {"object_ids": self.free_objects})
        self._request("POST", f"/flows/{init}/storage", {"object_ids": [self.init_object, f"{self._name} needs init"]})
        segment_with_init = {
            "object_id": f"{self._name} needs init",
            "init_object_id": self.init_object,
            "timerange": "[0:0_1:0)",
        }
        self._request("POST", f"/flows/{init}/segments", segment_with_init)
        self._segments[init] = []
        for source_id in self.sources:
            self._describe_source(source_id)
        for body in self._webhook_bodies():
            self._make_webhook(body)

    def _webhook_bodies(self) -> list[Json]:
        detailed = {
            "flow_collected_by_ids": [self.id("multi")],
            "accept_get_urls": list(COPIES),
            "verbose_storage": True,
            "include_object_timerange": True,
        }
        return [
            self.webhook(),
            self.webhook(**detailed),
            self.webhook(status="disabled"),
            self.webhook(url=f"{NO_LISTENER}?{quote(self._name)}"),
        ]

    def _make_webhook(self, body: Json) -> None:
        self.webhooks[self._request("POST", WEBHOOKS, body).json()["id"]] = body

    def _restore_webhooks(self) -> None:
        """Recreate missing webhooks, and reset changed ones to events of these resources."""
        for id_ in self.extra_webhooks:
            self.client.delete(f"{WEBHOOKS}/{id_}")
        self.extra_webhooks.clear()
        for id_, body in list(self.webhooks.items()):
            if not self.client.put(f"{WEBHOOKS}/{id_}", json={**body, "id": id_}).is_success:
                del self.webhooks[id_]
                self.client.delete(f"{WEBHOOKS}/{id_}")
                self._make_webhook(body)

    def _make_flow(self, document: Json) -> None:
        path = f"/flows/{document['id']}"
        self._request("PUT", path, {**document, "read_only": False})
        if self._segments.get(document["id"]):
            self._request("POST", f"{path}/segments", self._segments[document["id"]])
        if document.get("read_only"):
            self._request("PUT", f"{path}/read_only", True)

    def _remake_flows(self, source_id: str) -> None:
        """Recreate the flows of a source that has been deleted with them, once all of them are gone."""
        wait_until(lambda: not self._is_being_deleted(source_id), f"source {source_id} to be deleted")
        for document in self.flows.values():
            if document["source_id"] == source_id and self.client.head(f"/flows/{document['id']}").status_code == 404:
                self._make_flow(document)

    def _is_being_deleted(self, source_id: str) -> bool:
        requests = self._request("GET", "/flow-delete-requests").json()
        return any(each.get("source_id") == source_id and each["status"] in ("created", "started") for each in requests)

    def _describe_source(self, source_id: str) -> None:
        for member, value in (("label", "a label"), ("description", "a description"), (f"tags/{TAG}", ["red"])):
            self._request("PUT", f"/sources/{source_id}/{member}", value)

    def _add_instances(self, object_id: str) -> None:
        """Add missing instances."""
        for copy in self._copies(object_id):
            self.client.post(f"/objects/{quote(object_id, safe='')}/instances", json=copy)

    def _make_delete_request(self) -> str:
        """Delete a flow with enough segments to be deleted in the background, and return the delete request's id."""
        deleted_id = self.id("doomed")
        self._request("PUT", f"/flows/{deleted_id}", flow(VIDEO, id=deleted_id))
        segments = [self._segment(f"{self._name} doomed {n}", f"[{n}:0_{n + 1}:0)") for n in range(8)]
        self._request("POST", f"/flows/{deleted_id}/segments", segments)
        request: Json = self._request("DELETE", f"/flows/{deleted_id}").json()
        id_: str = request["id"]
        return id_

    def _request(self, method: str, path: str, body: Any = None) -> httpx.Response:
        response = self.client.request(method, path, json=body)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response
