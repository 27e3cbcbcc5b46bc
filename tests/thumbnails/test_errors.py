"""F19: why there is no thumbnail."""

import importlib.util
import io
import os
import random
import threading
import wave

import httpx
import pytest

from storage.thumbnails import decoder
from tams_server.http import serving_process
from tams_server.http.serving_process import PICTURE_PLACES
from tests.conformance.kit.documents import AUDIO, MULTI, VIDEO, flow
from tests.conformance.kit.polling import wait_until
from tests.interop.demo.client import Tams

from . import clips
from .clips import FRAMES, get, get_now, span_of, time_of


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_a_gap_has_no_picture(service: Tams) -> None:
    document = clips.store_ts(service, [span_of(0, 10), span_of(20, 30)])
    for number in (-1, 10, 19, 30):
        response = get(service, document, at=time_of(number))
        assert error_of(response) == (404, "thumbnail.no_segment")
        assert time_of(number) in response.json()["detail"]
    assert error_of(get(service, {**document, "id": "9f1f8c0c-8b8b-4f63-8a1e-06a4d1a5a8a0"}))[0] == 404


def test_an_empty_flow_has_no_picture(service: Tams) -> None:
    document = flow(VIDEO)
    service.put_flow(document)
    assert error_of(get(service, document)) == (404, "thumbnail.no_segment")


@pytest.mark.parametrize("document", [flow(AUDIO), flow(MULTI), flow(VIDEO, container="application/mxf")])
def test_what_has_no_pictures_is_unsuitable(service: Tams, document: dict[str, str]) -> None:
    service.put_flow(document)
    response = get(service, document)
    assert error_of(response) == (415, "thumbnail.unsuitable")
    assert document["id"] in response.json()["detail"]


def test_an_object_that_has_not_arrived_has_no_picture(service: Tams) -> None:
    document = flow(VIDEO, container="video/mp2t")
    service.put_flow(document)
    [slot] = service.allocate(document["id"], 1)
    service.register(document["id"], [{"object_id": slot.object_id, "timerange": str(span_of(0, 9))}])
    response = get(service, document)
    assert error_of(response) == (404, "thumbnail.no_media")
    assert slot.object_id in response.json()["detail"]


@pytest.mark.parametrize("at", ["1", "1.5", "01:0", "", f"{2**70}:0", "[1:0_2:0)"])
def test_a_time_that_is_none_is_rejected(service: Tams, at: str) -> None:
    response = get(service, clips.store_ts(service), at=at)
    assert response.status_code == 400
    assert "at" in response.json()["detail"]


def damaged(seed: int) -> bytes:
    """A transport stream in which bytes were changed, as any upload could be."""
    media = bytearray(clips.make_ts(0, FRAMES))
    chance = random.Random(seed)
    for _ in range(200):
        media[chance.randrange(len(media))] = chance.randrange(256)
    return bytes(media)


def sound() -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(bytes(9600))
    return target.getvalue()


PLAYLIST = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    "media",
    [b"\0", bytes(1 << 20), os.urandom(1 << 18), PLAYLIST, sound(), b"G" * (1 << 20), clips.make_ts(0, FRAMES)[:500]],
    ids=["byte", "zeros", "noise", "playlist", "sound", "sync", "beginning"],
)
def test_media_without_pictures_cannot_be_decoded(service: Tams, media: bytes) -> None:
    assert error_of(get(service, clips.store_ts(service, media=media))) == (415, "thumbnail.undecodable")


@pytest.mark.parametrize("seed", range(4))
def test_damaged_media_have_a_picture_or_a_reason(service: Tams, seed: int) -> None:
    response = get(service, clips.store_ts(service, media=damaged(seed)), at=time_of(25))
    assert response.status_code == 200 or error_of(response) == (415, "thumbnail.undecodable")


def test_load_is_told_and_not_remembered(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    document = clips.store_ts(service)
    with monkeypatch.context() as patch:
        patch.setattr(decoder, "COMMAND", ("-c", "import time; time.sleep(60)"))
        patch.setattr(decoder, "LONGEST_S", 0.1)
        response = get_now(service, document)
    assert error_of(response) == (503, "thumbnail.busy")
    assert int(response.headers["retry-after"]) > 0
    assert get(service, document).status_code == 200


def test_a_failure_is_remembered(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    document = clips.store_ts(service, media=b"\0")
    first = get(service, document)
    monkeypatch.setattr(decoder, "decode", None)
    again = get(service, document)
    assert (again.status_code, again.json()["detail"]) == (415, first.json()["detail"])


def test_a_missing_package_is_named(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "av" else find(name, *rest))
    response = get(service, clips.store_ts(service))
    assert error_of(response) == (415, "thumbnail.not_installed")
    assert "tams-server[media]" in response.json()["detail"]


def test_too_many_thumbnails_at_once_are_asked_to_come_again(service: Tams, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait take no thread from other requests."""
    document = clips.store_ts(service)
    go_on = threading.Event()
    names: list[str] = []
    rejected: list[httpx.Response] = []

    def slow(request: object, media: object) -> bytes:
        names.append(threading.current_thread().name)
        assert go_on.wait(30)
        return b"picture"

    def ask(width: int) -> None:
        response = get_now(service, document, width=width)
        if response.status_code == 503:
            rejected.append(response)

    monkeypatch.setattr(decoder, "decode", slow)
    running = [threading.Thread(target=ask, args=(16 + number,)) for number in range(PICTURE_PLACES + 2)]
    for thread in running:
        thread.start()
    try:
        wait_until(lambda: len(rejected) == 2, "two that find no place", timeout_s=20)
        assert len(names) == 1
    finally:
        go_on.set()
        for thread in running:
            thread.join()
    assert {name.split("_")[0] for name in names} == {"picture"}
    assert error_of(rejected[0]) == (503, "thumbnail.busy")
    assert int(rejected[0].headers["retry-after"]) > 0


def test_a_thumbnail_that_cannot_begin_in_time_is_to_be_asked_for_again(
    service: Tams, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = clips.store_ts(service)
    monkeypatch.setattr(serving_process, "PICTURE_WAIT_S", 0.0)
    response = get_now(service, document)
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
