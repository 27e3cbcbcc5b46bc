"""F19: dash.js and Shaka Player in Chromium play recordings and live flows, with each picture at its time."""

import pytest

from tests.interop.demo.client import Tams
from tests.interop.test_kinds import FRAME, FRAMES, GOP, ntsc_flow, store_fragments
from tests.interop.test_playback import COMPLETE

from .player import NUMBERED, Kind, Player
from .test_playback import LIVE_GOP, live_segments
from .waiting import wait_until

pytestmark = pytest.mark.parametrize("stores", ["files"], indirect=True)

_EXACT_S = 0.002
"""Of a time. A picture lasts 33 ms, and Shaka Player shows each a millisecond late."""
_SEGMENTS, _SEGMENTS_FIRST = 10, 4


def time_of(number: int) -> object:
    return pytest.approx(number * float(FRAME), abs=_EXACT_S)


@pytest.mark.parametrize(("kind", "name"), [("dash", "mpd"), ("shaka", "mpd"), ("shaka", "m3u8")])
def test_a_recording_is_played_to_the_picture(player: Player, service: Tams, kind: Kind, name: str) -> None:
    document = {**ntsc_flow(), **COMPLETE}
    store_fragments(service, document)
    player.kind = kind
    url = f"{service.base_url}/flows/{document['id']}/output.{name}?type=vod"
    record = player.play_to_the_end(url, service.token, NUMBERED, speed=2)
    # By HLS, Shaka Player shows pictures at their decoding times, which begin with the first picture one earlier.
    late = 1 if name == "m3u8" else 0
    assert record.duration == time_of(FRAMES + late)
    assert record.times == {number: time_of(number + late) for number in record.times}
    for number in sorted({*range(0, FRAMES, GOP), *range(GOP - 1, FRAMES, GOP), FRAMES - 1}):
        assert player.seek((number + late + 0.5) * float(FRAME)) == (number, time_of(number + late))


@pytest.mark.parametrize("kind", ["dash", "shaka"])
def test_a_live_manifest_is_played_while_it_grows_and_to_its_end(player: Player, service: Tams, kind: Kind) -> None:
    """Its timeline begins at zero, when the flow was created, so that it is now."""
    document = {**ntsc_flow(), "status": "ingesting", "segment_duration": {"numerator": 1, "denominator": 2}}
    add = live_segments(service, document, _SEGMENTS, begin=0)
    for _ in range(_SEGMENTS_FIRST):
        next(add)
    player.kind = kind
    player.start(f"{service.base_url}/flows/{document['id']}/output.mpd", service.token, NUMBERED)
    wait_until(lambda: len(player.record().frames) > 0 or bool(player.record().failures), player.page)
    for _ in add:
        player.page.wait_for_timeout(200)
    service.put_flow({**document, **COMPLETE})
    wait_until(lambda: player.record().ended or bool(player.record().failures), player.page, 30)
    record = player.record()
    assert not record.failures, record.failures
    assert max(record.times) >= (_SEGMENTS - 1) * LIVE_GOP
    assert record.times == {number: time_of(number) for number in record.times}
