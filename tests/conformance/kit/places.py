"""Where the bytes of objects are: storage backends, instances, and get_urls as segments and objects show them."""

from tests.conformance.kit.client import TamsClient, part
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.skips import not_implemented

VIEWS = ("segment", "object")
"""The two places at which get_urls are shown, and filtered alike."""


def backends(tams: TamsClient) -> list[Json]:
    """All storage backends."""
    return [item for page in tams.pages("/service/storage-backends") for item in page.json()]


def home_backend(tams: TamsClient) -> Json:
    """The backend that takes objects when none is named; skips where there is no default."""
    found = next((each for each in backends(tams) if each.get("default_storage")), None)
    if found is None:
        not_implemented("a default storage backend")
    return found


def second_backend(tams: TamsClient) -> Json:
    """A backend to copy objects to; skips where there is only one."""
    others = [each for each in backends(tams) if not each.get("default_storage")]
    if not others or len(backends(tams)) < 2:
        not_implemented("a second storage backend")
    return others[0]


def shown(tams: TamsClient, view: str, flow_id: str, object_id: str, /, **params: Value | None) -> Json:
    """The segment with this object, or the object itself: the document that holds its get_urls."""
    if view == "segment":
        answer = tams.request(
            "GET", with_query(f"/flows/{flow_id}/segments", {"object_id": object_id, "limit": 1, **params})
        )
        assert answer.status_code == 200, answer.text
        assert answer.json(), f"no segment of flow {flow_id} has object {object_id}"
        segment: Json = answer.json()[0]
        return segment
    answer = tams.request("GET", with_query(f"/objects/{part(object_id)}", params))
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def get_urls(tams: TamsClient, view: str, flow_id: str, object_id: str, /, **params: Value | None) -> list[Json]:
    """The get_urls that one of VIEWS shows, of which an absent list is an empty one."""
    urls: list[Json] = shown(tams, view, flow_id, object_id, **params).get("get_urls", [])
    return urls


def add_url(tams: TamsClient, object_id: str, label: str | None = None) -> Json:
    """Name a further, uncontrolled place of the object; what was sent."""
    label = label or fresh_name("elsewhere")
    instance = {"url": f"https://media.example.com/{label}", "label": label}
    answer = tams.post(f"/objects/{part(object_id)}/instances", instance)
    assert answer.status_code == 201, answer.text
    return instance
