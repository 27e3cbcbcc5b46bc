"""Profile documents with fresh ids. No operation deletes a profile, so those made by tests remain."""

from typing import Any

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import TECHNICAL, VIDEO, Json
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.preparation import preparing


def profile(format_: str = VIDEO, /, **members: Any) -> Json:
    """A profile of this format."""
    return {"id": fresh(), "flow_metadata": TECHNICAL[format_], **members}


def make_profile(tams: TamsClient, format_: str = VIDEO, /, **members: Any) -> Json:
    """Create a profile, and return the document that was sent."""
    document = profile(format_, **members)
    with preparing("a profile"):
        response = tams.post(f"/service/profiles/{document['id']}", document)
        assert response.status_code == 201, response.text
    return document


def linked_flow(profile_id: str, **members: Any) -> Json:
    """A flow that takes its technical metadata from the profile."""
    return {"id": fresh(), "source_id": fresh(), "profile_id": profile_id, **members}
