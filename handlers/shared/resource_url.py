"""URLs of resources, for the header Location."""

from urllib.parse import quote

from handlers.shared.call import Call
from storage.nul import unescape_nul


def resource_url(call: Call, collection: str, id_: str) -> str:
    """The URL of a resource. collection: the path in which it is, such as "flows". id_: as it is stored."""
    return f"{call.base_url}/{collection}/{quote(unescape_nul(id_), safe='')}"
