"""The text of multivariant playlists, held against the rules of HLS."""

from typing import Any

import pytest

from storage.errors import Unsuitable
from storage.playback.multivariant import Rendition, write_multivariant_playlist
from tests.conformance.kit.documents import AUDIO, DATA, VIDEO, flow
from tests.playback.rules import Multivariant, read_multivariant_playlist

AVC, AAC, AC3 = ["avc1.64001f"], ["mp4a.40.2"], ["ac-3"]


def rendition(
    format_: str, codecs: list[str], peak: int = 1000, ts_offset: int = 0, essence: Any = None, **members: Any
) -> Rendition:
    document = flow(format_, **members)
    if essence is not None:
        document["essence_parameters"] = document["essence_parameters"] | essence
    return Rendition(document, f"../../flows/{document['id']}/output.m3u8", codecs, peak, peak // 2, ts_offset)


def written(*renditions: Rendition) -> Multivariant:
    return read_multivariant_playlist(write_multivariant_playlist(renditions))


def test_pictures_are_variants_with_the_sound_as_a_group() -> None:
    small, large = rendition(VIDEO, AVC, 2_000_000), rendition(VIDEO, AVC, 6_000_000)
    sounds = [rendition(AUDIO, AAC, 128_000), rendition(AUDIO, AAC, 96_000)]
    found = written(small, large, *sounds)
    assert [each["URI"] for each in found.variants] == [large.uri, small.uri]
    assert found.variants[0] == {
        "BANDWIDTH": "6128000",
        "AVERAGE-BANDWIDTH": "3064000",
        "CODECS": "avc1.64001f,mp4a.40.2",
        "RESOLUTION": "1280x720",
        "FRAME-RATE": "25.000",
        "AUDIO": "audio-1",
        "URI": large.uri,
    }
    assert [each["DEFAULT"] for each in found.media] == ["YES", "NO"]
    assert found.media[0]["CHANNELS"] == "2"


def test_tags_name_languages_names_and_the_default() -> None:
    tags = {"hls_language": "cy", "hls_name": 'Cym"raeg', "hls_default": "true"}
    english = rendition(AUDIO, AAC, label="English", tags={"hls_autoselect": "false", "hls_language": "not a language"})
    found = written(rendition(VIDEO, AVC), english, rendition(AUDIO, AAC, tags=tags))
    first, second = found.media
    assert (first["NAME"], first["DEFAULT"], first["AUTOSELECT"]) == ("English", "NO", "NO")
    assert "LANGUAGE" not in first
    assert (second["NAME"], second["LANGUAGE"], second["DEFAULT"]) == ("Cym raeg", "cy", "YES")


def test_names_in_a_group_differ() -> None:
    found = written(rendition(VIDEO, AVC), *(rendition(AUDIO, AAC, label="Commentary") for _ in range(3)))
    assert [each["NAME"] for each in found.media] == ["Commentary", "Commentary (2)", "Commentary (3)"]


def test_no_number_makes_a_name_of_another_sound() -> None:
    labels = ("A", "A (3)", "A", "A (2)")
    found = written(rendition(VIDEO, AVC), *(rendition(AUDIO, AAC, label=label) for label in labels))
    assert [each["NAME"] for each in found.media] == ["A", "A (3)", "A (2)", "A (2) (2)"]


def test_names_have_no_control_characters() -> None:
    [found] = written(rendition(VIDEO, AVC), rendition(AUDIO, AAC, label='a"\n\x7f\x85\u2028z')).media
    assert found["NAME"] == "a     z"


def spoken(language: str, codecs: list[str], **members: Any) -> Rendition:
    return rendition(AUDIO, codecs, tags={"hls_language": language}, **members)


def uris_by_group(found: Multivariant) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for each in found.media:
        groups.setdefault(each["GROUP-ID"], []).append(each["URI"])
    return groups


def test_languages_in_different_codecs_are_one_group() -> None:
    english, french = spoken("en", AAC), spoken("fr", AC3)
    found = written(rendition(VIDEO, AVC), english, french)
    assert uris_by_group(found) == {"audio-1": [english.uri, french.uri]}
    assert [each["CODECS"] for each in found.variants] == ["avc1.64001f,mp4a.40.2,ac-3"]


def test_a_language_is_in_the_groups_of_all_codecs() -> None:
    english, french, better = spoken("en", AAC, label="Stereo"), spoken("fr", AAC), spoken("en", AC3, label="5.1")
    found = written(rendition(VIDEO, AVC), english, french, better)
    assert uris_by_group(found) == {"audio-1": [english.uri, french.uri], "audio-2": [better.uri, french.uri]}
    assert [each["NAME"] for each in found.media] == ["Stereo", "audio 2"] * 2
    assert [each["CODECS"] for each in found.variants] == ["avc1.64001f,mp4a.40.2", "avc1.64001f,ac-3,mp4a.40.2"]


def test_labels_tell_sounds_of_one_language_apart() -> None:
    plain, described = spoken("en", AAC, label="English"), spoken("en", AAC, label="Described")
    other = spoken("en", AC3, label="Described")
    found = written(rendition(VIDEO, AVC), plain, described, other)
    assert uris_by_group(found) == {"audio-1": [plain.uri, described.uri], "audio-2": [plain.uri, other.uri]}


def test_sounds_of_different_codecs_are_in_different_groups() -> None:
    found = written(rendition(VIDEO, AVC), rendition(AUDIO, AAC), rendition(AUDIO, ["ac-3"]))
    assert [each["CODECS"] for each in found.variants] == ["avc1.64001f,mp4a.40.2", "avc1.64001f,ac-3"]
    assert [each["AUDIO"] for each in found.variants] == ["audio-1", "audio-2"]


def test_subtitles_are_a_group_without_a_default() -> None:
    text = rendition(DATA, ["wvtt"], tags={"hls_language": "en", "hls_forced": "true"})
    found = written(rendition(VIDEO, AVC), text)
    assert found.variants[0]["SUBTITLES"] == "subtitles"
    assert (found.media[0]["DEFAULT"], found.media[0]["FORCED"]) == ("NO", "YES")


def test_sound_alone_is_a_variant() -> None:
    sound = rendition(AUDIO, AAC, 128_000)
    [variant] = written(sound).variants
    assert (variant["URI"], variant["CODECS"]) == (sound.uri, "mp4a.40.2")
    assert "RESOLUTION" not in variant


def test_subtitles_belong_to_sound_alone_too() -> None:
    sound, text = rendition(AUDIO, AAC), rendition(DATA, ["wvtt"])
    found = written(sound, text)
    assert [(each["URI"], each["SUBTITLES"]) for each in found.variants] == [(sound.uri, "subtitles")]
    assert [each["URI"] for each in found.media] == [text.uri]


def test_sound_alone_is_in_sync() -> None:
    late = rendition(AUDIO, AAC, ts_offset=1_000_000)
    found = written(rendition(AUDIO, AAC), late)
    assert len(found.variants) == 1
    assert late.flow["id"] in found.comments[0]


def test_no_subtitles_are_encodings_of_others() -> None:
    texts = [rendition(DATA, codecs) for codecs in (["wvtt"], [], ["wvtt"])]
    assert [each["URI"] for each in written(rendition(VIDEO, AVC), *texts).media] == [each.uri for each in texts]


def test_subtitles_alone_are_unsuitable() -> None:
    with pytest.raises(Unsuitable, match="subtitles"):
        written(rendition(DATA, ["wvtt"]))


def test_unknown_codecs_are_not_invented() -> None:
    assert "CODECS" not in written(rendition(VIDEO, []), rendition(AUDIO, AAC)).variants[0]


def test_what_would_not_be_in_sync_is_left_out() -> None:
    late = rendition(AUDIO, AAC, ts_offset=1_000_000)
    found = written(rendition(VIDEO, AVC), late, rendition(AUDIO, AAC, ts_offset=999_999))
    assert len(found.media) == 1
    assert late.flow["id"] in found.comments[0]


def test_the_range_of_the_pictures_and_fractions_of_frames_are_told() -> None:
    essence = {"transfer_characteristic": "HLG", "frame_rate": {"numerator": 30000, "denominator": 1001}}
    [variant] = written(rendition(VIDEO, AVC, essence=essence)).variants
    assert (variant["VIDEO-RANGE"], variant["FRAME-RATE"]) == ("HLG", "29.970")


@pytest.mark.parametrize("value", [None, "25", '2"\n#EXTM3U', [], {"numerator": 0}, {"numerator": "1"}, -1, 2.5, True])
@pytest.mark.parametrize("name", ["frame_rate", "frame_width", "channels", "transfer_characteristic"])
def test_parameters_of_another_kind_are_left_out(name: str, value: object) -> None:
    """As TAMS_VALIDATION_LEVEL=relaxed has stored them."""
    attribute = {"frame_rate": "FRAME-RATE", "frame_width": "RESOLUTION", "channels": "CHANNELS"}.get(
        name, "VIDEO-RANGE"
    )
    found = written(rendition(VIDEO, AVC, essence={name: value}), rendition(AUDIO, AAC, essence={name: value}))
    assert attribute not in found.variants[0] | found.media[0]


def test_numbers_are_written_without_a_fraction() -> None:
    """JSON Schema counts 2.0 among the integers."""
    essence = {"frame_width": 1280.0, "frame_height": 720.0, "frame_rate": {"numerator": 25.0, "denominator": 1.0}}
    found = written(rendition(VIDEO, AVC, essence=essence), rendition(AUDIO, AAC, essence={"channels": 2.0}))
    assert (found.variants[0]["RESOLUTION"], found.variants[0]["FRAME-RATE"]) == ("1280x720", "25.000")
    assert found.media[0]["CHANNELS"] == "2"
