"""How long a frame of coded sound lasts, by its header: AAC in ADTS, MPEG-1 and MPEG-2 sound, AC-3 and E-AC-3."""

from typing import Final

from storage.timerange import NS

LONGEST_NS: Final = 50_000_000
"""The longest coded frame of sound: 2,048 samples at 44.1 kHz take 46.4 ms."""
_ADTS_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_MPEG_RATES: Final = (44100, 48000, 32000)
_AC3_RATES: Final = (48000, 44100, 32000)
_MPEG_1: Final = 3
_LAYER_1, _LAYER_3 = 3, 1


def sound_frame_ns(data: bytes) -> int | None:
    """The duration of the frame with which data begins, in ns; None if it is none of these.

    ISO/IEC 13818-7 (6.2), 11172-3 (2.4.1.3) and 13818-3; ETSI TS 102 366 (4.4.1).
    """
    if len(data) < 5:
        return None
    if data[0] == 0xFF and data[1] & 0xF6 == 0xF0:
        return _duration(1024, _ADTS_RATES, data[2] >> 2 & 0xF)
    if data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
        halvings = {_MPEG_1: 0, 2: 1, 0: 2}.get(version)
        if halvings is None or not layer:
            return None
        samples = 384 if layer == _LAYER_1 else 576 if layer == _LAYER_3 and halvings else 1152
        return _duration(samples << halvings, _MPEG_RATES, data[2] >> 2 & 3)
    if data[:2] == b"\x0b\x77":
        return _duration(1536, _AC3_RATES, data[4] >> 6)
    return None


def _duration(samples: int, rates: tuple[int, ...], index: int) -> int | None:
    return samples * NS // rates[index] if index < len(rates) else None
