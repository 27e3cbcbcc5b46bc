"""Whether media can be read: storage backends, and the URLs of a segment."""

from collections.abc import Iterator
from itertools import islice

import httpx

from tams_server.client import calls
from tams_server.client.documents import GetUrl, Segment
from tams_server.client.errors import shown_url
from tams_server.client.exchange import takes_credentials
from tams_server.client_cli.doctor.finding import Finding, Patient, milliseconds
from tams_server.client_cli.doctor.pages import ORIGIN, allows

_FLOWS = 20
"""Flows that are looked through for a segment."""


def backends(patient: Patient) -> list[Finding]:
    """The storage backends, and whether one is the default."""
    found = list(patient.client.iterate(calls.storage_backends()))
    if not found:
        return [Finding("warn", "storage", "there is no storage backend", "media cannot be uploaded here")]
    names = ", ".join(str(each.get("label") or each["id"]) for each in found)
    if not any(each.get("default_storage") for each in found) and len(found) > 1:
        remedy = "name one when you write: --storage-backend ID"
        return [Finding("warn", "storage", f"no storage backend is the default ({names})", remedy)]
    return [Finding("ok", "storage", f"{len(found)} storage backend{'s' * (len(found) > 1)}: {names}")]


def segment_urls(patient: Patient) -> list[Finding]:
    """The URLs of one segment: reachable, and readable by browsers."""
    segment = next(_segments(patient), None)
    if segment is None:
        message = f"none of the first {_FLOWS} flows has a segment with a URL"
        return [Finding("warn", "media", message, "tams doctor --write tries with an object of its own")]
    return [_examined(patient, each) for each in segment["get_urls"]]


def _segments(patient: Patient) -> Iterator[Segment]:
    for flow in islice(patient.client.iterate(calls.flows()), _FLOWS):
        listing = calls.segments(flow["id"], limit=1)
        yield from (each for each in islice(patient.client.iterate(listing), 1) if each.get("get_urls"))


def _examined(patient: Patient, get_url: GetUrl) -> Finding:
    url = get_url["url"]
    named = f"{get_url.get('label') or 'a URL without a label'}, at {shown_url(url)}"
    if not url.startswith(("http://", "https://")):
        return Finding("ok", "media", f"{named}: not of HTTP, not tried")
    is_ours = takes_credentials(patient.http.base_url, url, get_url.get("presigned", False))
    try:
        response, took, _ = patient.request("GET", url, signed_in=is_ours, Range="bytes=0-0", Origin=ORIGIN)
    except (httpx.InvalidURL, ValueError):
        return Finding("fail", "media", f"{named}: is no URL")
    if response.status_code not in (200, 206):
        return Finding(
            "fail",
            "media",
            f"{named}: returns {response.status_code}",
            "its store may be down, refuse the signature (clocks?), or have lost the object: tams-server check",
        )
    message = f"{named}: read in {milliseconds(took)}"
    if not allows(response.headers.get("access-control-allow-origin")):
        return Finding("warn", "media", message, "browsers cannot play it: set up CORS at the store")
    if response.status_code == 200 and len(response.content) > 1:
        return Finding("warn", "media", message, "the store ignores ranges: players may read more than they need")
    return Finding("ok", "media", message)
