"""Whether media can be written: an object uploaded to each storage backend, read back, and deleted."""

import os
import time
import uuid
from contextlib import suppress

from tams_server.client import ClientError, calls
from tams_server.client.checksums import Digest
from tams_server.client.exchange import usable_urls
from tams_server.client.models import StorageBackend
from tams_server.client_cli.doctor.finding import Finding, Patient, milliseconds

_SIZE = 100_000


def round_trips(patient: Patient) -> list[Finding]:
    """A flow with a segment on each storage backend, which is deleted in the end."""
    flow_id = str(uuid.uuid4())
    flow = {
        "id": flow_id,
        "source_id": str(uuid.uuid4()),
        "format": "urn:x-nmos:format:data",
        "label": "tams doctor",
        "description": "A trial of 'tams doctor --write', which deletes it. It can be deleted by anybody.",
        "codec": "application/octet-stream",
        "container": "application/octet-stream",
        "essence_parameters": {"data_type": "urn:x-tams:data:doctor"},
    }
    patient.client.send(calls.put_flow(flow))
    try:
        backends = list(patient.client.iterate(calls.storage_backends()))
        found = [_try(patient, flow_id, second, each) for second, each in enumerate(backends or [None])]
    finally:
        with suppress(ClientError):
            patient.client.send(calls.delete_flow(flow_id))
    return [*found, _deleted(patient, flow_id)]


def _try(patient: Patient, flow_id: str, second: int, backend: StorageBackend | None) -> Finding:
    storage_id = backend["id"] if backend else None
    name = (backend.get("label") if backend else None) or storage_id or "storage"
    try:
        return Finding("ok", "writing", f"{name}: {_round_trip(patient, flow_id, second, storage_id)}")
    except ClientError as error:
        remedy = "the upload URL must be reachable from here, and the store must be up and have room"
        return Finding("fail", "writing", f"{name}: {error}", remedy)
    except _Different as error:
        return Finding("fail", "writing", f"{name}: {error}", "the store damages media: do not use it")


def _round_trip(patient: Patient, flow_id: str, second: int, storage_id: str | None) -> str:
    """Upload, register and read one object. Returns what was done in words."""
    client, media, digest, read = patient.client, os.urandom(_SIZE), Digest(), Digest()
    digest.update(media)
    (slot,) = client.send(calls.allocate(flow_id, [f"tams-doctor/{uuid.uuid4()}"], storage_id=storage_id))
    began = time.monotonic()
    client.upload(slot, iter([media]), len(media))
    uploaded = time.monotonic()
    segment = {"object_id": slot["object_id"], "timerange": f"[{second}:0_{second + 1}:0)"}
    if failed := client.send(calls.add_segments(flow_id, [segment])):
        raise _Different(f"the segment was not added: {failed[0].get('error')}")
    registered = time.monotonic()
    described = client.send(calls.media_object(slot["object_id"]))
    urls = usable_urls(described.get("get_urls") or [])
    if not urls:
        raise _Different("the object has no URL to read it from")
    with client.download(urls[0]) as response:
        for chunk in response.iter_raw():
            read.update(chunk)
    if read.value("sha-256") != digest.value("sha-256"):
        raise _Different(f"{read.size:,} other bytes came back than the {digest.size:,} that were uploaded")
    return (
        f"uploaded in {milliseconds(uploaded - began)}, registered in {milliseconds(registered - uploaded)},"
        f" read back unchanged in {milliseconds(time.monotonic() - registered)}"
    )


def _deleted(patient: Patient, flow_id: str) -> Finding:
    response, _, _ = patient.request("GET", f"/flows/{flow_id}")
    if response.status_code == 404:
        return Finding("ok", "writing", "the flow is deleted again")
    return Finding("warn", "writing", f"the flow {flow_id} is not deleted", f"tams rm {flow_id}")


class _Different(Exception):
    """What came back is not what was sent."""
