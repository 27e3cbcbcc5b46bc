"""Codecs of RFC 6381, from metadata and from media that FFmpeg's libraries have made."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from storage.playback.codecs import codecs_of_flow, codecs_of_init, codecs_of_transport_stream
from tests.conformance.kit.documents import AUDIO, VIDEO, flow


def encoded(format_: str, codecs: list[str], **options: str) -> bytes:
    """A quarter of a second of grey pictures and silence."""
    target = io.BytesIO()
    with av.open(target, "w", format=format_, options=options) as output:
        streams = {}
        for codec in codecs:
            is_sound = codec in ("aac", "ac3", "flac")
            streams[codec] = stream = output.add_stream(codec, rate=48_000 if is_sound else 25)
            if is_sound:
                stream.layout = "stereo"
            else:
                stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for codec, stream in streams.items():
            stream.codec_context.open(strict=False)
            for number in range(6):
                if codec in ("aac", "ac3", "flac"):
                    count = stream.codec_context.frame_size or 4608
                    form = stream.codec_context.format.name
                    shape, type_ = ((2, count), "f4") if form == "fltp" else ((1, 2 * count), "i2")
                    frame = av.AudioFrame.from_ndarray(np.zeros(shape, type_), format=form, layout="stereo")
                    frame.sample_rate, frame.pts, frame.time_base = 48_000, number * count, Fraction(1, 48_000)
                else:
                    frame = av.VideoFrame(320, 240, "yuv420p")
                    frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return target.getvalue()


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        (["libx264", "aac"], ["avc1.64000d", "mp4a.40.2"]),
        (["libx265"], ["hev1.1.6.L60.90"]),
        (["aac"], ["mp4a.40.2"]),
        (["ac3"], ["ac-3"]),
        (["flac"], ["fLaC"]),
    ],
)
def test_codecs_of_fragmented_mp4(codecs: list[str], expected: list[str]) -> None:
    media = encoded("mp4", codecs, movflags="frag_keyframe+empty_moov+default_base_moof+delay_moov")
    assert codecs_of_init(media[: media.index(b"moof") - 4]) == expected


@pytest.mark.parametrize(
    ("codecs", "expected"),
    [
        (["libx264", "aac"], ["avc1.64000d", "mp4a.40.2"]),
        (["libx265"], ["hvc1.1.6.L60.90"]),
        (["aac"], ["mp4a.40.2"]),
    ],
)
def test_codecs_of_transport_streams(codecs: list[str], expected: list[str]) -> None:
    assert codecs_of_transport_stream(encoded("mpegts", codecs)) == expected


def test_codecs_of_what_is_no_media() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 200_000, np.uint8).tobytes()
    for media in (b"", b"\x47" * 1000, noise, b"avcC", b"esds\x04\x00"):
        assert all(isinstance(codec, str) for codec in [*codecs_of_init(media), *codecs_of_transport_stream(media)])
    assert codecs_of_init(b"") == codecs_of_transport_stream(b"\x47" * 1000) == []


def box(kind: bytes, *content: bytes) -> bytes:
    whole = b"".join(content)
    return (8 + len(whole)).to_bytes(4, "big") + kind + whole


def init_of(*entries: bytes) -> bytes:
    """An initialisation whose only track has these sample entries."""
    inner = box(b"stsd", bytes(8), *entries)
    for kind in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        inner = box(kind, inner)
    return inner


def test_only_sample_entries_are_looked_at_and_few_of_them() -> None:
    configurations = [b"avcC\1" + number.to_bytes(3, "big") + b"\xff" for number in range(20_000)]
    assert codecs_of_init(b"".join(configurations)) == []
    assert codecs_of_init(init_of(box(b"avc1", bytes(78), *configurations))) == ["avc1.000000"]
    entries = [box(b"avc1", bytes(78), box(b"avcC", each[4:])) for each in configurations]
    assert len(codecs_of_init(init_of(*entries))) == 8


def test_encrypted_entries_have_the_codec_of_their_original_format() -> None:
    picture = box(b"avcC", b"\1\x64\0\x1f\xff")
    original = box(b"sinf", box(b"frma", b"avc3"))
    sound = box(b"enca", bytes(28), box(b"sinf", box(b"frma", b"Opus")))
    assert codecs_of_init(init_of(box(b"encv", bytes(78), picture, original), sound)) == ["avc3.64001f", "Opus"]


def with_essence(format_: str, **parameters: object) -> dict[str, object]:
    return flow(format_, essence_parameters=parameters)


def test_codecs_that_the_metadata_says() -> None:
    assert codecs_of_flow(flow(VIDEO)) == codecs_of_flow(flow(AUDIO)) == []
    avc = {"profile": 100, "flags": 0, "level": 40}
    assert codecs_of_flow(with_essence(VIDEO, avc_parameters=avc)) == ["avc1.640028"]
    assert codecs_of_flow(with_essence(VIDEO, avc_parameters={**avc, "profile": 100.0})) == ["avc1.640028"]
    assert codecs_of_flow(with_essence(VIDEO, avc_parameters={**avc, "level": 1000})) == []
    assert codecs_of_flow(with_essence(AUDIO, codec_parameters={"mp4_oti": 5})) == ["mp4a.40.5"]
    assert codecs_of_flow(flow(AUDIO, codec="audio/eac3")) == ["ec-3"]


@pytest.mark.parametrize("value", [None, "25", '2"\n#EXTM3U', [], {"profile": 100}, {"mp4_oti": '2"\n'}, -1, 2.5, True])
def test_parameters_of_another_kind_are_unknown(value: object) -> None:
    """As TAMS_VALIDATION_LEVEL=relaxed has stored them."""
    names = ("avc_parameters", "codec_parameters")
    for format_ in (VIDEO, AUDIO):
        assert codecs_of_flow(with_essence(format_, **dict.fromkeys(names, value))) == []
        assert codecs_of_flow(with_essence(format_, codec_parameters={"mp4_oti": value})) == []
