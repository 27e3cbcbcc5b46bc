"""A long file of 1080p made cheaply: one minute is encoded, and its packets are repeated with later times."""

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tams_server.client_media.parameter_sets import unit_type, units

RATE = 25
MINUTE_FRAMES = 60 * RATE
SAMPLE_RATE = 48000
_BLOCK = 1024
WIDTH, HEIGHT = 1920, 1080


def make(folder: Path, minutes: int) -> Path:
    """Make a file of so many minutes, unless it is there."""
    path, minute = folder / f"{minutes}-minutes.mp4", folder / "minute.mp4"
    if not minute.exists():
        _encode(minute)
    if not path.exists():
        _repeat(minute, path, minutes)
    return path


def minute_hashes(folder: Path) -> list[bytes]:
    """The hash of each decoded picture of the minute."""
    return hashes(folder / "minute.mp4")


def coded_hashes(path: Path) -> Iterator[tuple[int, bytes]]:
    """Time in frames, and a hash of what is coded, of each frame of H.264 in a file, in decoding order.

    Only slices count (types 1 to 5): containers add and remove delimiters and parameter sets.
    """
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        config = bytes(stream.codec_context.extradata or b"")
        packets: Any = container.demux(stream)
        for packet in packets:
            if packet.size:
                digest = hashlib.blake2b(digest_size=16)
                for unit in units(bytes(packet), config):
                    if 1 <= unit_type(unit, "h264") <= 5:
                        digest.update(unit)
                yield round(packet.pts * stream.time_base * RATE), digest.digest()


def hashes(path: Path) -> list[bytes]:
    """The hash of each decoded picture of a file, in order of time."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return [hash_of(frame) for frame in container.decode(video=0)]


def hash_of(frame: Any) -> bytes:
    """The hash of a decoded picture."""
    digest = hashlib.blake2b(digest_size=16)
    for plane in frame.planes:
        digest.update(memoryview(plane))
    return digest.digest()


def _encode(path: Path) -> None:
    with av.open(str(path), "w") as output:
        video: Any = output.add_stream("libx264", rate=RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {
            "preset": "ultrafast",
            "crf": "23",
            "bf": "2",
            "x264-params": "keyint=50:min-keyint=50:scenecut=0",
        }
        audio: Any = output.add_stream("aac", rate=SAMPLE_RATE)
        audio.layout = "stereo"
        noise = np.random.default_rng(5).integers(30, 220, (HEIGHT // 8, WIDTH * 2 // 8), np.uint8)
        texture = np.kron(noise, np.ones((8, 8), np.uint8))
        luma = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        samples = 0
        for number in range(MINUTE_FRAMES):
            luma[:HEIGHT] = texture[:, number % WIDTH : number % WIDTH + WIDTH]
            luma[:64, : number + 1] = number % 250
            frame = av.VideoFrame.from_ndarray(luma, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(video.encode(frame))
            while samples < (number + 1) * SAMPLE_RATE // RATE:
                at = (np.arange(_BLOCK) + samples) / SAMPLE_RATE
                wave = (0.3 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
                tone = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
                tone.sample_rate, tone.pts, tone.time_base = SAMPLE_RATE, samples, Fraction(1, SAMPLE_RATE)
                output.mux(audio.encode(tone))
                samples += _BLOCK
        for stream in (video, audio):
            output.mux(stream.encode(None))


def _repeat(minute: Path, path: Path, minutes: int) -> None:
    """Repeat the pictures exactly, and so much of the sound as fills whole coded frames of each minute."""
    with av.open(str(minute)) as source, av.open(str(path), "w") as output:
        streams = {each.index: output.add_stream_from_template(each) for each in source.streams}
        for number in range(minutes):
            source.seek(0)
            packets: Any = source.demux()
            for packet in packets:
                if not packet.size:
                    continue
                stream: Any = source.streams[packet.stream_index]
                per_minute = (
                    round(60 / stream.time_base) if stream.type == "video" else 60 * SAMPLE_RATE // _BLOCK * _BLOCK
                )
                if stream.type == "audio" and (packet.pts >= per_minute or (number and packet.pts < 0)):
                    continue
                copy: Any = av.Packet(bytes(packet))
                copy.pts, copy.dts = packet.pts + number * per_minute, packet.dts + number * per_minute
                copy.duration, copy.time_base, copy.is_keyframe = packet.duration, packet.time_base, packet.is_keyframe
                copy.stream = streams[packet.stream_index]
                output.mux(copy)
