"""Profile documents, each with a fresh id. No operation deletes a profile: those that tests make stay behind."""

from typing import Any

from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import TECHNICAL, VIDEO, Json
from tests.conformance.kit.ids import fresh
from tests.conformance.kit.preparation import preparing


def profile(format_: str = VIDEO, /, **members: Any) -> Json:
    """A profile of this format."""
    return {"id": fresh(), "flow_metadata": TECHNICAL[format_], **members}


def make_profile(tams: TamsClient, format_: str = VIDEO, /, **members: Any) -> Json:
    """Create a profile, and give its document as it was sent."""
    document = profile(format_, **members)
    with preparing("a profile"):
        answer = tams.post(f"/service/profiles/{document['id']}", document)
        assert answer.status_code == 201, answer.text
    return document


def linked_flow(profile_id: str, **members: Any) -> Json:
    """A flow that takes its technical metadata from the profile."""
    return {"id": fresh(), "source_id": fresh(), "profile_id": profile_id, **members}
