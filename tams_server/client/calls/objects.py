"""Objects and their instances."""

from typing import cast

import httpx

from tams_server.client.calls.call import Call, nothing, quoted
from tams_server.client.documents import Json, MediaObject


def media_object(object_id: str, *, with_urls: bool = True) -> Call[MediaObject]:
    """An object, with the storage backend of each of its URLs."""
    params = {"verbose_storage": "true"} if with_urls else {"accept_get_urls": ""}
    return Call("GET", f"/objects/{quoted(object_id)}", _media_object, params=params)


def add_instance(object_id: str, instance: Json) -> Call[None]:
    """Have an object copied to a storage backend (`storage_id`), or make a copy known (`url` and `label`)."""
    path = f"/objects/{quoted(object_id)}/instances"
    return Call("POST", path, nothing, (200, 201, 202, 204), body=instance, has_body=True, repeatable=False)


def delete_instance(object_id: str, *, storage_id: str = "", label: str = "") -> Call[None]:
    """Delete the instance on a storage backend, or the uncontrolled one with a label."""
    params = {"storage_id": storage_id} if storage_id else {"label": label}
    return Call("DELETE", f"/objects/{quoted(object_id)}/instances", nothing, (200, 202, 204), params)


def _media_object(response: httpx.Response) -> MediaObject:
    return cast(MediaObject, response.json())
