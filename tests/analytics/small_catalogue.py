"""A catalogue small enough to know every answer by heart, with a case for each question."""

from typing import Any

from storage.tables.engine import Engine

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_800_000_000 * SECOND
"""In microseconds since 1970: 15 January 2027, 08:00 in UTC."""
TAI = NOW * 1000 + 37_000_000_000
"""The same moment in TAI, in ns."""
DAY_NS = 86_400 * 10**9

CAMERA, MICROPHONE = "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"
VIDEO, PROXY, AUDIO, EMPTY = (f"20000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3, 4))
HOT, COLD = "30000000-0000-4000-8000-000000000001", "30000000-0000-4000-8000-000000000002"
PROFILE = "40000000-0000-4000-8000-000000000001"
HOOK, FAILING, IDLE = (f"50000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
FORMAT = "urn:x-nmos:format:"


def fill(engine: Engine) -> None:
    """Fill an empty catalogue.

    VIDEO: time of day, 10 segments of 2 s from three days ago on; segment 5 is missing; kept for a day. The first has
    two values of a tag, the second an empty one.
    PROXY: its first segment has a tag. Uses objects 0 and 1 of VIDEO, once and twice. Its ingest stopped an hour ago.
    AUDIO: 2 segments, read-only although it has a retention tag. Its timeline begins at 0.
    EMPTY: a flow without segments, whose retention tag makes no sense.
    """
    with engine.write() as writer:
        tx: Any = writer  # The rows are not typed.
        tx.insert("sources", [_source(CAMERA, "video", "Camera"), _source(MICROPHONE, "audio", "")])
        tx.insert("flows", _flows())
        tx.insert(
            "tags",
            [
                _tag(VIDEO, "segment_retention_offset", f"{86_400}:0"),
                _tag(PROXY, "flow_retention_offset", f"{6 * 86_400}:0"),
                _tag(AUDIO, "segment_retention_offset", "1:0"),
                _tag(EMPTY, "loop_recorder_duration", "soon"),
                {**_tag(VIDEO, "site", "London"), "value": "London"},
            ],
        )
        segments = _segments()
        tx.insert("segments", segments)
        tx.insert(
            "segment_tags",
            [
                {
                    "flow_id": row["flow_id"],
                    "start_ns": row["start_ns"],
                    "name": "shot",
                    "value": value,
                    "empty": not value,
                }
                for row, value in (
                    (segments[0], "wide"),
                    (segments[0], "close"),
                    (segments[9], "wide"),
                    (segments[1], ""),
                )
            ],
        )
        tx.insert("objects", _objects())
        tx.insert("instances", _instances())
        tx.insert("object_refs", _references())
        tx.insert("webhooks", _webhooks())
        tx.insert(
            "deliveries",
            [
                {"webhook_id": HOOK, "position": (NOW - 90 * SECOND) * 1000 + n, "event_id": f"event-{n}"}
                for n in range(3)
            ],
        )


def _source(id_: str, format_: str, label: str) -> Any:
    times = {"created": NOW - 100 * HOUR, "updated": NOW - 99 * HOUR}
    return {"id": id_, "format": FORMAT + format_, "label": label, "unlabelled": not label, **times, "doc": {}}


def _flows() -> list[Any]:
    plain = {
        "unlabelled": False,
        "init_segments": False,
        "read_only": False,
        "created": NOW - 100 * HOUR,
        "metadata_updated": NOW - 100 * HOUR,
        "doc": {},
    }
    video = {**plain, "source_id": CAMERA, "format": f"{FORMAT}video", "frame_width": 1920, "frame_height": 1080}
    return [
        {
            **video,
            "id": VIDEO,
            "label": "Main",
            "codec": "video/h264",
            "container": "video/mp2t",
            "profile_id": PROFILE,
            "status": "closed_complete",
            "segments_updated": NOW - 71 * HOUR,
        },
        {
            **video,
            "id": PROXY,
            "label": "Proxy",
            "codec": "video/h264",
            "status": "ingesting",
            "segments_updated": NOW - HOUR,
        },
        {
            **plain,
            "id": AUDIO,
            "source_id": MICROPHONE,
            "format": f"{FORMAT}audio",
            "label": "",
            "unlabelled": True,
            "codec": "audio/aac",
            "read_only": True,
            "segments_updated": NOW - 2 * HOUR,
        },
        {**video, "id": EMPTY, "label": "Empty", "status": "ingesting", "created": NOW - 60 * SECOND},
    ]


def _tag(flow_id: str, name: str, value: str) -> Any:
    return {"kind": "flow", "owner_id": flow_id, "name": name, "value": value, "empty": False, "created": NOW}


def _segment(flow_id: str, start: int, end: int, object_id: str, created: int) -> Any:
    timerange = f"[{start // 10**9}:{start % 10**9}_{end // 10**9}:{end % 10**9})"
    span = {"start_ns": start, "end_ns": end, "timerange": timerange}
    return {"flow_id": flow_id, **span, "object_id": object_id, "created": created, "doc": {}}


def _segments() -> list[Any]:
    begin = TAI - 3 * DAY_NS
    video = [
        _segment(VIDEO, begin + n * 2 * 10**9, begin + (n + 1) * 2 * 10**9, f"video/{n}", NOW - 72 * HOUR)
        for n in range(10)
        if n != 5
    ]
    proxy = [_segment(PROXY, n * 2 * 10**9, (n + 1) * 2 * 10**9, f"video/{n // 2}", NOW - HOUR) for n in range(3)]
    audio = [_segment(AUDIO, n * 10**9 + n, (n + 1) * 10**9, f"audio/{n}", NOW - 2 * HOUR) for n in range(2)]
    return [*video, *proxy, *audio]


def _objects() -> list[Any]:
    used = [
        {"id": f"video/{n}", "state": "media", "flow_id": VIDEO, "start_ns": 0, "end_ns": 2 * 10**9, "created": NOW}
        for n in range(10)
        if n != 5
    ]
    heard = [
        {"id": f"audio/{n}", "state": "media", "flow_id": AUDIO, "content_type": "audio/aac", "created": NOW}
        for n in range(2)
    ]
    dropped = {"id": "video/5", "state": "media", "flow_id": VIDEO, "created": NOW, "expires": NOW - SECOND}
    waiting = {"id": "later", "state": "allocated", "flow_id": EMPTY, "created": NOW, "expires": NOW + 600 * SECOND}
    return [*used, *heard, dropped, waiting]


def _instance(object_id: str, storage_id: str, size: int | None, created: int) -> Any:
    return {
        "object_id": object_id,
        "instance": storage_id,
        "storage_id": storage_id,
        "created": created,
        "size": size,
        "extension": "",
    }


def _instances() -> list[Any]:
    """VIDEO is on HOT, 1,000 bytes an object; object 0 on COLD too. AUDIO is on COLD; the size of one is unknown."""
    video = [_instance(f"video/{n}", HOT, 1_000, NOW - 72 * HOUR) for n in range(10)]
    video[9] |= {"size": None, "charged_to": "somebody", "charged_bytes": 1_000}
    audio = [_instance(f"audio/{n}", COLD, 2**62 if n else None, NOW - 2 * HOUR) for n in range(2)]
    elsewhere = {"object_id": "audio/1", "instance": "label:cdn", "label": "cdn", "url": "https://cdn.example/1"}
    return [
        *video,
        _instance("video/0", COLD, 1_000, NOW - HOUR),
        *audio,
        {**elsewhere, "created": NOW},
        _instance("later", HOT, None, NOW),
    ]


def _references() -> list[Any]:
    video = [{"object_id": f"video/{n}", "flow_id": VIDEO, "segments": 1} for n in range(10) if n != 5]
    proxy = [{"object_id": f"video/{n}", "flow_id": PROXY, "segments": 2 - n} for n in range(2)]
    audio = [{"object_id": f"audio/{n}", "flow_id": AUDIO, "segments": 1} for n in range(2)]
    return [*video, *proxy, *audio]


def _webhooks() -> list[Any]:
    plain = {"status": "started", "enabled": True, "base_url": "", "created": NOW, "since": NOW, "doc": {}}
    return [
        {**plain, "id": HOOK, "url": "https://user:secret@hooks.example:8443/a?key=secret", "owner": "one"},
        {
            **plain,
            "id": FAILING,
            "url": "https://failing.example?key=secret",
            "owner": "two",
            "status": "error",
            "enabled": False,
            "failing_since": NOW - HOUR,
        },
        {**plain, "id": IDLE, "url": "http://idle.example", "owner": "one"},
    ]
