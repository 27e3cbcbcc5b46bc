"""Storage backends, object instances, and the get_urls that segments and objects show."""

from tests.conformance.kit.client import TamsClient, path_segment
from tests.conformance.kit.documents import Json
from tests.conformance.kit.ids import fresh_name
from tests.conformance.kit.queries import Value, with_query
from tests.conformance.kit.skips import not_implemented

VIEWS = ("segment", "object")
"""The two resources that show get_urls, with the same filters."""


def backends(tams: TamsClient) -> list[Json]:
    """All storage backends."""
    return [item for page in tams.pages("/service/storage-backends") for item in page.json()]


def default_backend(tams: TamsClient) -> Json:
    """The backend used when none is named. Skips if there is no default."""
    found = next((each for each in backends(tams) if each.get("default_storage")), None)
    if found is None:
        not_implemented("a default storage backend")
    return found


def second_backend(tams: TamsClient) -> Json:
    """A backend other than the default, to copy objects to. Skips if there is only one."""
    others = [each for each in backends(tams) if not each.get("default_storage")]
    if not others or len(backends(tams)) < 2:
        not_implemented("a second storage backend")
    return others[0]


def read_view(tams: TamsClient, view: str, flow_id: str, object_id: str, /, **params: Value | None) -> Json:
    """The document that shows the object's get_urls: a segment of it, or the object itself, depending on `view`."""
    if view == "segment":
        response = tams.request(
            "GET", with_query(f"/flows/{flow_id}/segments", {"object_id": object_id, "limit": 1, **params})
        )
        assert response.status_code == 200, response.text
        assert response.json(), f"no segment of flow {flow_id} uses object {object_id}"
        segment: Json = response.json()[0]
        return segment
    response = tams.request("GET", with_query(f"/objects/{path_segment(object_id)}", params))
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def get_urls(tams: TamsClient, view: str, flow_id: str, object_id: str, /, **params: Value | None) -> list[Json]:
    """The get_urls in one of VIEWS. An absent list reads as an empty one."""
    urls: list[Json] = read_view(tams, view, flow_id, object_id, **params).get("get_urls", [])
    return urls


def add_uncontrolled_url(tams: TamsClient, object_id: str, label: str | None = None) -> Json:
    """Add an uncontrolled instance to the object, and return what was sent."""
    label = label or fresh_name("elsewhere")
    instance = {"url": f"https://media.example.com/{label}", "label": label}
    response = tams.post(f"/objects/{path_segment(object_id)}/instances", instance)
    assert response.status_code == 201, response.text
    return instance
