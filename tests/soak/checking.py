"""Compare a store with an author's books."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import compress

import httpx

from tests.conformance.kit.documents import Json
from tests.faults.behaviours import Received
from tests.faults.history import History, delivered_events, joined
from tests.soak.books import Books, FlowState, content
from tests.soak.findings import Findings
from tests.soak.reading import document_at, each_patiently, exists, listed, media_client, patiently, second_of

_RECENT = 20
"""How many deletions are looked at in a check that is not thorough."""
_RECENT_OBJECTS = 5


def check_store(http: httpx.Client, books: Books, *, thorough: bool) -> Findings:
    """Compare what the server has with what it acknowledged.

    thorough: look at everything, not just at the most recent deletions and objects.
    """
    findings = Findings()
    gone = [path for pair in books.deleted for path in pair]
    for paths in (gone, books.deleted_webhooks):
        looked_at = paths if thorough else paths[-_RECENT:]
        is_there = each_patiently(partial(exists, http), looked_at)
        findings.lost += [f"the deletion of {path}" for path in compress(looked_at, is_there)]
    for path, found in zip(books.webhooks, each_patiently(partial(_optional, http), books.webhooks), strict=True):
        document = books.webhooks[path]
        shown = {name: found.get(name) for name in document} if found else None
        findings.compare(path, [document], [shown] if shown else [])
    if books.flow.exists:
        _check_flow(http, books.flow, findings, thorough=thorough)
    return findings


def check_events(expected: History, received: Iterable[Received], *, others: bool = False) -> Findings:
    """Compare the events that one webhook received with those that must be delivered: all, once, in order.

    others: there may be events of other flows and sources too.
    """
    findings, delivered = Findings(), delivered_events(received)
    for subject in expected.keys() if others else expected.keys() | delivered.keys():
        wanted, found = expected.get(subject, []), delivered.get(subject, [])
        findings.compare(f"events of {subject}", joined(wanted), joined(found))
    return findings


def _check_flow(http: httpx.Client, now: FlowState, findings: Findings, *, thorough: bool) -> None:
    flow = patiently(lambda: _optional(http, now.path))
    source = patiently(lambda: _optional(http, now.source_path))
    if flow is None or source is None:
        findings.lost.append(f"{now.path if flow is None else now.source_path} is missing")
        return
    findings.compare(f"{now.path} label", [now.label], [flow.get("label")])
    findings.compare(f"{now.path} tags", sorted(now.tags.items()), sorted(flow.get("tags", {}).items()))
    findings.compare(f"{now.source_path} label", [now.source_label], [source.get("label")])
    segments = patiently(lambda: listed(http, f"{now.path}/segments", presigned="true"))
    findings.compare(
        f"{now.path} segments",
        [(second, segment.object_id) for second, segment in now.segments.items()],
        [(second_of(segment), segment["object_id"]) for segment in segments],
    )
    stored = {segment.object_id for segment in now.segments.values() if segment.stored}
    with_bytes = [segment for segment in reversed(segments) if segment["object_id"] in stored]
    _check_bytes(with_bytes if thorough else with_bytes[:_RECENT_OBJECTS], now, findings)


def _check_bytes(segments: Sequence[Json], now: FlowState, findings: Findings) -> None:
    """Compare every instance of these segments' objects with what was uploaded."""
    for segment in segments:
        if len(segment["get_urls"]) < 1 + (segment["object_id"] in now.copied):
            findings.lost.append(f"an instance of object {segment['object_id']}")
    instances = [(segment["object_id"], url["url"]) for segment in segments for url in segment["get_urls"]]
    each_media = each_patiently(_media, (url for _, url in instances))
    for (object_id, _), media in zip(instances, each_media, strict=True):
        if media is None:
            findings.lost.append(f"the bytes of object {object_id}")
        elif media != content(object_id):
            findings.wrong.append(f"the bytes of object {object_id}: {len(media)} bytes")


def _media(url: str) -> bytes | None:
    response = media_client().get(url)
    return None if response.status_code == 404 else response.raise_for_status().content


def _optional(http: httpx.Client, path: str) -> Json | None:
    return document_at(http, path) if exists(http, path) else None
