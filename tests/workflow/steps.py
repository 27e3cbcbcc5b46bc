"""The fifteen steps of the sample workflow, as they stand in docs/workflow.md."""

import json

from tests.workflow.transcript import Part, Transcript

SOURCE = "2aa143ac-0ab7-4d75-bc32-5c00c13d186f"
FLOW = "4f1fb15a-5a45-4f3d-9f1e-4c9b0fd3f9a1"
CUT = "6e6b4a7c-9d52-4c0e-8d34-0c4dca0b52f7"
CUT_SOURCE = "7c8b1f0e-3c3a-4b86-a8d5-1f4f2f1c9a10"
REQUEST = "b3a5f9c2-6f0d-4f0b-8a53-9d6c7d1e2f30"
OBJECT = "programme/first"
SECOND = "programme/second"
MEDIA = bytes(188 * 100)

_TECHNICAL = {
    "format": "urn:x-nmos:format:video",
    "codec": "video/h264",
    "container": "video/mp2t",
    "essence_parameters": {
        "frame_rate": {"numerator": 25, "denominator": 1},
        "frame_width": 1280,
        "frame_height": 720,
    },
}


def run(transcript: Transcript) -> None:
    """Send all requests of the workflow to an empty server, and write them down."""
    _create(transcript)
    _upload(transcript)
    _read(transcript)
    _delete(transcript)


def _create(t: Transcript) -> None:
    t.say("## Create")
    t.step("1. Look at the service", "A client begins here: which version is this, and how long are URLs valid?")
    t.send("GET", "/service")
    t.step("2. Look at the storage", "The backends that media can be stored in. One of them is the default.")
    t.send("GET", "/service/storage-backends")
    t.step(
        "3. Create a flow",
        "The client chooses the ids. A flow is one rendition of a source; the source comes into being "
        "with its first flow.",
    )
    t.send("PUT", f"/flows/{FLOW}", {"id": FLOW, "source_id": SOURCE, "label": "Programme", **_TECHNICAL}, status=201)
    t.step("4. Describe its source", "What is true of every rendition belongs to the source.")
    t.send("PUT", f"/sources/{SOURCE}/label", "The evening programme", status=204)
    t.send("GET", f"/sources/{SOURCE}")
    t.step("5. Tag the flow", "Tags are for what the specification does not name. Listings can be filtered by them.")
    t.send("PUT", f"/flows/{FLOW}/tags/channel", "one", status=204)
    t.send("GET", "/flows?tag.channel=one")


def _upload(t: Transcript) -> None:
    t.say("## Upload")
    t.step("6. Allocate storage", "The response has a URL for the upload. Without ids, the server makes some.")
    allocated = t.send("POST", f"/flows/{FLOW}/storage", {"object_ids": [OBJECT]}, status=201).json()
    put_url = allocated["media_objects"][0]["put_url"]
    t.step("7. Upload the media", "To that URL, with the content type that belongs to it. The URL is the credential.")
    content_type = {"Content-Type": put_url["content-type"]}
    t.send("PUT", put_url["url"], content=MEDIA, headers=content_type, credential=False)
    t.step(
        "8. Register the segment",
        "From now on the media is part of the flow, at this time on its timeline. Segments of a flow never overlap.",
    )
    t.send("POST", f"/flows/{FLOW}/segments", {"object_id": OBJECT, "timerange": "[0:0_2:0)"}, status=201)
    t.step(
        "9. Or upload and register at once",
        "A form with the segment and its file takes the place of steps 6 to 8. This is an addition of "
        "this server ([features.md](features.md), F7).",
    )
    segment = json.dumps({"object_id": SECOND, "timerange": "[2:0_4:0)"})
    form: dict[str, Part] = {"segment": (None, segment, "application/json"), "file": ("second.ts", MEDIA, "video/mp2t")}
    t.send("POST", f"/flows/{FLOW}/segments", form=form, status=201)


def _read(t: Transcript) -> None:
    t.say("## Read")
    t.step("10. List the segments", "Of a part of the timeline, with URLs that a player can use as they are.")
    listed = t.send("GET", f"/flows/{FLOW}/segments?timerange=[0:0_1:0)&presigned=true").json()
    t.say("### 11. Download the media")
    t.send("GET", listed[0]["get_urls"][0]["url"], credential=False)
    t.step(
        "12. Use the media again",
        "A cut is a flow of its own, whose segments refer to the same objects. No media is copied, and "
        "the object says who uses it.",
    )
    cut = {"id": CUT, "source_id": CUT_SOURCE, "label": "Cut", **_TECHNICAL}
    t.send("PUT", f"/flows/{CUT}", cut, status=201)
    t.send(
        "POST",
        f"/flows/{CUT}/segments",
        {"object_id": OBJECT, "timerange": "[100:0_102:0)", "ts_offset": "100:0"},
        status=201,
    )
    t.send("GET", f"/objects/{OBJECT.replace('/', '%2F')}?presigned=false")


def _delete(t: Transcript) -> None:
    t.say("## Delete")
    t.step(
        "13. See what depends on it",
        "With `cascade=false`, a deletion that would take something else with it changes nothing, and "
        "says what that is (F3).",
    )
    t.send("DELETE", f"/flows/{FLOW}?cascade=false", status=409)
    t.step(
        "14. Delete the segments, then the flow",
        "Objects go with the last segment that refers to them: the first one remains, for the cut. An "
        "empty flow can be deleted with `cascade=false`.",
    )
    t.send("DELETE", f"/flows/{FLOW}/segments", status=204)
    t.send("DELETE", f"/flows/{FLOW}?cascade=false", status=204)
    t.send("GET", f"/objects/{SECOND.replace('/', '%2F')}", status=404)
    t.step("15. Delete the source of the cut", "With all that is left of it. A source without flows is gone by itself.")
    accepted = t.send("DELETE", f"/sources/{CUT_SOURCE}?cascade=true", status=202)
    t.replaced[accepted.json()["id"]] = REQUEST
    t.say("The response names a delete request, which says how far the deletion is.")
    t.send("GET", accepted.headers["Location"])
