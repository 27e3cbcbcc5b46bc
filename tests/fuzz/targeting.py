"""Points random cases at existing resources, so that most of them get past "not found" to the rules behind it.

All choices are derived from the case alone, so that runs are repeatable. Parts of a case that are deliberately invalid
are kept, except that the id in a body is made equal to the one in the path.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any
from urllib.parse import quote, unquote
from zlib import crc32

from schemathesis.core import NOT_SET
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.case import Case

from tams_server.specification.operations import FORM
from tests.conformance.kit.documents import Json
from tests.conformance.kit.webhooks import LISTING as WEBHOOKS
from tests.fuzz.resources import CLIENT_ID, CLIENT_SECRET, COPIES, NO_LISTENER, TAG, Resources

REJECTED_URLS = ("ftp://127.0.0.1/", "http://user@127.0.0.1/", "https://127.0.0.1:0/", "http://10.0.0.1/", "nowhere")
"""URLs that are rejected for webhooks."""

_OF_TIMERANGES = "[(:_)]"
"""Not quoted, because schemathesis compares the text in a path with the pattern of timeranges without decoding it."""

_NEARLY_ALWAYS = 0.95
_OFTEN = 0.85
_SOMETIMES = 0.4


def target_existing_resources(case: Case[Any], resources: Resources, *, path: bool = True) -> None:
    """Change the case in place, and let schemathesis re-evaluate whether it is valid. path: change the path too."""
    targeting = _Targeting(case, resources)
    if path:
        targeting.path()
    targeting.query()
    targeting.body()
    _ = case.meta


class _Targeting:
    def __init__(self, case: Case[Any], resources: Resources) -> None:
        self._case = case
        self._world = resources
        self._chance = Random(crc32(repr(case).encode("utf-8", "backslashreplace")))

    def _is_negative(self, location: ParameterLocation) -> bool:
        return self._case.meta is not None and self._case.meta.is_negative_at(location)

    def _chance_of(self, share: float = _OFTEN) -> bool:
        return self._chance.random() < share

    def _choose(self, values: Sequence[Any]) -> Any:
        return self._chance.choice(values)

    def _new_id(self) -> str:
        return self._world.id(str(self._chance.random()))

    # -- path

    def path(self) -> None:
        if self._is_negative(ParameterLocation.PATH):
            return
        parameters = dict(self._case.path_parameters)
        choices: dict[str, Callable[[], Sequence[str]]] = {
            "flowId": self._flow_ids,
            "sourceId": lambda: self._world.sources,
            "objectId": lambda: [*self._world.objects, self._world.init_object, self._world.free_objects[0]],
            "profileId": self._profile_ids,
            "request-id": lambda: [self._world.delete_request_id],
            "webhookId": lambda: list(self._world.webhooks),
            "name": lambda: [TAG],
            "timerange": lambda: self._world.timeranges,
        }
        for name in parameters:
            if name in choices and self._chance_of():
                parameters[name] = quote(self._choose(choices[name]()), safe="")
        if "timerange" in parameters:
            parameters["timerange"] = quote(unquote(parameters["timerange"]), safe=_OF_TIMERANGES)
        if parameters != self._case.path_parameters:
            self._case.path_parameters = parameters

    def _flow_ids(self) -> Sequence[str]:
        body = self._case.body
        if self._case.path == "/flows/{flowId}" and isinstance(body, dict):
            same = self._world.writable_flows(str(body["format"]) if "format" in body else None)
            return [*same, self._new_id()]
        if self._case.path.endswith("/flow_collection") and self._case.method != "PUT":
            return [self._world.id("multi")]
        if self._case.path.endswith(("/segments", "/storage")) or "{timerange}" in self._case.path:
            return [self._world.id(what) for what in ("video", "video", "video", "audio", "audio", "init", "locked")]
        return [self._world.id("video"), self._world.id("audio"), *self._world.flows]

    def _profile_ids(self) -> Sequence[str]:
        return [self._new_id()] if self._case.method == "POST" else [self._world.profile_id]

    # -- query

    def query(self) -> None:
        if self._is_negative(ParameterLocation.QUERY):
            return
        query = dict(self._case.query)
        resources = self._world
        choices_by_name: dict[str, Sequence[Any]] = {
            "source_id": resources.sources,
            "object_id": resources.objects,
            "label": COPIES if "{objectId}" in self._case.path else ["a label"],
            "accept_storage_ids": [resources.storage_id],
            "storage_id": [resources.storage_id],
            "accept_get_urls": ["", *COPIES],
            "collected_by_ids": [resources.id("multi")],
            "codec": ["video/h264"],
            "timerange": ["_", "()", "[5:0_15:0)", "(0:0_", "_3:500000000]", "[10:0]"],
        }
        for name in list(query):
            if name in choices_by_name and self._chance_of():
                query[name] = self._choose(choices_by_name[name])
            elif name == "page" and self._chance_of():
                key = resources.page_key(self._case.formatted_path, {n: v for n, v in query.items() if n != "page"})
                query = {**query, "page": key} if key else {n: v for n, v in query.items() if n != "page"}
        if query != self._case.query:
            self._case.query = query

    # -- body

    def body(self) -> None:
        if self._case.body is NOT_SET:
            return
        body = self._targeted_body(self._case.body)
        if body != self._case.body:
            self._case.body = body

    def _targeted_body(self, body: Any) -> Any:
        if isinstance(body, list):
            return [self._targeted_body(item) for item in body]
        if not isinstance(body, dict):
            return body
        path = self._case.path
        if path.startswith(WEBHOOKS):
            return self._webhook(self._same_id(dict(body)))
        if self._is_negative(ParameterLocation.BODY):
            return self._same_id(dict(body))
        if path == "/oauth2/token":
            return self._token_request(dict(body))
        if path.endswith("/segments") and self._case.media_type == FORM:
            return self._form(body)
        if path.endswith("/segments"):
            return self._segment(dict(body))
        if path.endswith("/flow_collection"):
            return {**body, "id": self._choose(list(self._world.flows))} if self._chance_of() else body
        if path.endswith("/instances"):
            new = self._new_id()
            return {"url": f"https://media.example.com/{new}", "label": new} if self._chance_of() else body
        if path.endswith("/storage"):
            return self._allocation(dict(body))
        return self._flow(self._same_id(dict(body)))

    def _token_request(self, body: Json) -> Json:
        """Name the only client."""
        return {**body, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}

    def _same_id(self, body: Json) -> Json:
        """Set the id to that of the path, in nearly all cases."""
        own = next(reversed(self._case.path_parameters.values()), None)
        if isinstance(body.get("id"), str) and isinstance(own, str) and self._chance_of(_NEARLY_ALWAYS):
            body["id"] = unquote(own)
        return body

    def _flow(self, body: Json) -> Json:
        known = self._world.flows.get(body.get("id", ""))
        if "source_id" in body and self._chance_of(_NEARLY_ALWAYS):
            body["source_id"] = known["source_id"] if known else self._new_id()
        if "profile_id" in body and self._chance_of():
            body["profile_id"] = self._world.profile_id
        if isinstance(body.get("flow_collection"), list) and self._chance_of():
            flows = list(self._world.flows)
            body["flow_collection"] = [{**item, "id": self._choose(flows)} for item in body["flow_collection"]]
        return body

    def _allocation(self, body: Json) -> Json:
        changes: Json = {
            "limit": self._chance.randrange(1, 5),
            "object_ids": [self._new_id()],
            "storage_id": self._world.storage_id,
            "content_type": "video/mp2t",
        }
        return {name: changes[name] if name in changes and self._chance_of() else value for name, value in body.items()}

    def _webhook(self, body: Json) -> Json:
        """Restrict a webhook to URLs of this machine, and to the events of one flow or source."""
        if isinstance(body.get("url"), str):
            body["url"] = self._choose(
                [self._world.receiver_url, self._world.receiver_url, NO_LISTENER, *REJECTED_URLS]
            )
        if self._is_negative(ParameterLocation.BODY):
            return body
        body |= {"flow_ids": [self._choose(list(self._world.flows))], "source_ids": [self._choose(self._world.sources)]}
        if "api_key_name" in body and self._chance_of():
            body["api_key_name"] = "X-Key"
        if ("api_key_name" in body or "api_key_value" in body) and self._chance_of():
            body |= {"api_key_name": "X-Key", "api_key_value": "another secret"}
        if self._chance_of() and "flow_collected_by_ids" in body:
            body["flow_collected_by_ids"] = [self._world.id("multi")]
        if self._chance_of() and "accept_storage_ids" in body:
            body["accept_storage_ids"] = [self._world.storage_id]
        return body

    def _form(self, body: Json) -> Json:
        """Put the parts in order, with a segment that most flows take, and nearly always a new object."""
        if not isinstance(body.get("segment"), dict) or "file" not in body:
            return body
        document = self._segment(dict(body["segment"]))
        if self._chance_of(_NEARLY_ALWAYS):
            document.pop("object_id", None)
        if "storage_id" in document and self._chance_of():
            document["storage_id"] = self._world.storage_id
        return {"segment": document, "file": body["file"]}

    def _segment(self, body: Json) -> Json:
        if self._chance_of():
            body["object_id"] = self._choose([*self._world.free_objects, *self._world.objects, self._new_id()])
        if self._chance_of():
            start = self._chance.randrange(100, 10**6)
            body["timerange"] = f"[{start}:0_{start + 1}:0)"
        if self._chance_of() and "init_object_id" in body:
            body["init_object_id"] = self._world.init_object
        if self._chance_of(_SOMETIMES):
            body.pop("init_object_id", None)
        return body
