"""Validation of flow documents: values that the schemas reject, and edge cases that they accept (FLOW-VAL-*)."""

from typing import Any

import pytest

from tests.conformance.kit.changes import OMITTED, changed
from tests.conformance.kit.client import TamsClient
from tests.conformance.kit.documents import AUDIO, DATA, IMAGE, MULTI, VIDEO, Json, flow
from tests.conformance.kit.flow_states import flow_exists, put_flow, read_flow

ESSENCE = "essence_parameters"
UNCODED = {VIDEO: "video/raw", AUDIO: "audio/x-raw-int"}


def rule(behaviour: str, format_: str, path: str, *values: Any) -> list[Any]:
    """A case for each of these values of the member at `path` of a flow of this format."""
    name = format_.rpartition(":")[2]
    return [
        pytest.param(format_, path, value, marks=pytest.mark.behaviour(behaviour), id=f"{name}-{path}-{_shown(value)}")
        for value in values
    ]


def _shown(value: Any) -> str:
    return str(value).replace(" ", "")[:50]


def essence(behaviour: str, format_: str, name: str, *values: Any) -> list[Any]:
    return rule(behaviour, format_, f"{ESSENCE}.{name}", *values)


INVALID_FRACTIONS = (
    {"numerator": 16},
    {"denominator": 9},
    {"numerator": 0, "denominator": 9},
    {"numerator": 16, "denominator": 0},
    {"numerator": 1.5, "denominator": 1},
    "16:9",
)
INVALID_RATES: tuple[Any, ...] = (
    {},
    {"denominator": 1},
    {"numerator": 0},
    {"numerator": -25},
    {"numerator": 25, "denominator": 0},
    25,
)
WITH_ESSENCE = (VIDEO, AUDIO, IMAGE, DATA)

REJECTED = [
    *rule(
        "FLOW-VAL-01", VIDEO, "format", OMITTED, None, "video", "urn:x-nmos:format:mux", "urn:x-nmos:format:image", 1
    ),
    *rule("FLOW-VAL-01", AUDIO, "format", VIDEO, IMAGE),
    *(case for format_ in WITH_ESSENCE for case in rule("FLOW-VAL-02", format_, "codec", OMITTED, None)),
    *(case for format_ in WITH_ESSENCE for case in rule("FLOW-VAL-02", format_, ESSENCE, OMITTED, None, [])),
    *essence("FLOW-VAL-04", VIDEO, "frame_width", OMITTED, 0, -1, 12.5, "1280"),
    *essence("FLOW-VAL-04", VIDEO, "frame_height", OMITTED, 0, -1),
    *essence("FLOW-VAL-04", IMAGE, "frame_width", OMITTED, 0),
    *essence("FLOW-VAL-04", IMAGE, "frame_height", OMITTED, -1),
    *essence("FLOW-VAL-05", VIDEO, "frame_rate", OMITTED),
    *essence("FLOW-VAL-06", VIDEO, "vfr", True),
    *essence("FLOW-VAL-07", VIDEO, "vfr", None, "true"),
    *essence("FLOW-VAL-08", VIDEO, "frame_rate", *INVALID_RATES),
    *rule("FLOW-VAL-08", AUDIO, "segment_duration", *INVALID_RATES),
    *essence("FLOW-VAL-09", VIDEO, "aspect_ratio", *INVALID_FRACTIONS),
    *essence("FLOW-VAL-09", VIDEO, "pixel_aspect_ratio", *INVALID_FRACTIONS),
    *essence("FLOW-VAL-09", IMAGE, "aspect_ratio", *INVALID_FRACTIONS),
    *essence("FLOW-VAL-10", VIDEO, "interlace_mode", "interlaced", "Progressive"),
    *essence("FLOW-VAL-10", VIDEO, "colorspace", "bt709", "sRGB"),
    *essence("FLOW-VAL-10", VIDEO, "transfer_characteristic", "HDR", 1),
    *essence("FLOW-VAL-10", VIDEO, "component_type", "YUV"),
    *essence("FLOW-VAL-10", VIDEO, "unc_parameters", {}, {"unc_type": "yuyv"}, {"unc_type": "interleaved"}),
    *essence("FLOW-VAL-10", AUDIO, "unc_parameters", {}, {"unc_type": "v210"}),
    *essence("FLOW-VAL-11", VIDEO, "avc_parameters", {}, {"profile": 1, "level": 2}, {"profile": 1, "flags": 2}),
    *essence("FLOW-VAL-11", VIDEO, "avc_parameters", {"level": 1, "flags": 2}),
    *essence("FLOW-VAL-11", VIDEO, "avc_parameters", {"profile": "High", "level": 40, "flags": 0}),
    *essence("FLOW-VAL-12", AUDIO, "sample_rate", OMITTED, 0, -48000, 44.1),
    *essence("FLOW-VAL-12", AUDIO, "channels", OMITTED, 0, -2, "stereo"),
    *(case for format_ in (*WITH_ESSENCE, MULTI) for case in essence("FLOW-VAL-13", format_, "no_such_key", 1)),
    *essence("FLOW-VAL-13", VIDEO, "sample_rate", 48000),
    *essence("FLOW-VAL-13", DATA, "frame_width", 640),
    *essence("FLOW-VAL-14", IMAGE, "init_segments", True, False),
    *rule("FLOW-VAL-15", VIDEO, "codec", "h264", "video/h 264", "video/", "/h264", "video/h264/x", "", 264),
    *rule("FLOW-VAL-15", MULTI, "container", "mp2t", "video/mp2t ", "video\t/mp2t", ""),
    *(
        case
        for name in ("max_bit_rate", "avg_bit_rate")
        for case in rule("FLOW-VAL-16", VIDEO, name, -1, 1.5, "5000", None, True)
    ),
    *rule("FLOW-VAL-17", DATA, "tags", {"a": 1}, {"a": None}, {"a": {}}, {"a": ["b", 1]}, {"a": [["b"]]}, ["a"], None),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.track_index", -1, 0.5),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.format_track_index", -1),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.audio_track.channel_numbers", [], [-1], ["1"]),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.audio_track.channel_range", "1-2", "1", "_2", "a_b"),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.mp2ts_container.pid", "0x101"),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.mxf_container.package_uid", "urn:uuid:1", "urn:smpte:umid:1", ""),
    *rule("FLOW-VAL-21", MULTI, "flow_collection", [{}], [{"role": "a"}], [{"id": "x"}], [{"id": None}], {}, ["x"]),
    *rule("FLOW-PUT-13", VIDEO, "status", "closed", "INGESTING", "", None, 1),
    *rule("FLOW-PUT-14", VIDEO, "generation", -1, "1", 0.5, None),
    *rule("FLOW-RO-03", VIDEO, "read_only", "true", 1, None),
    *rule("FLOW-DESC-02", VIDEO, "description", 1, None, ["a"]),
    *rule("FLOW-LABEL-02", VIDEO, "label", 1, None, {"a": "b"}),
]

ACCEPTED = [
    *essence("FLOW-VAL-07", VIDEO, "vfr", False),
    *essence("FLOW-VAL-08", VIDEO, "frame_rate", {"numerator": 50}, {"numerator": 30000, "denominator": 1001}),
    *essence("FLOW-VAL-09", VIDEO, "aspect_ratio", {"numerator": 16, "denominator": 9}),
    *essence("FLOW-VAL-09", VIDEO, "pixel_aspect_ratio", {"numerator": 12, "denominator": 11}),
    *essence("FLOW-VAL-10", VIDEO, "interlace_mode", "progressive", "interlaced_tff", "interlaced_psf"),
    *essence("FLOW-VAL-10", VIDEO, "transfer_characteristic", "SDR", "HLG", "PQ"),
    *essence("FLOW-VAL-10", AUDIO, "unc_parameters", {"unc_type": "interleaved"}, {"unc_type": "pairs"}),
    *essence("FLOW-VAL-11", VIDEO, "avc_parameters", {"profile": 100, "level": 40, "flags": 0}),
    *essence("FLOW-VAL-14", DATA, "init_segments", True, False),
    *essence("FLOW-VAL-14", MULTI, "init_segments", True, False),
    *rule("FLOW-VAL-15", VIDEO, "container", "video/mp4", "application/mxf", "x-own/kind+v2"),
    *rule("FLOW-VAL-16", VIDEO, "max_bit_rate", 0, 2**40),
    *rule("FLOW-VAL-17", DATA, "tags", {}, {"a": []}, {"a": ["b", "b"]}, {"a": ""}, {"": "a"}, {"é/&.": "ü"}),
    *rule("FLOW-VAL-19", AUDIO, "container_mapping.audio_track", {"channel_numbers": [0, 3]}, {"channel_range": "0_5"}),
    *rule(
        "FLOW-VAL-19",
        AUDIO,
        "container_mapping.mxf_container.package_uid",
        "urn:uuid:2f1b9c4e-8d07-4f5a-b1c2-9e6d3a70f841",
        "urn:smpte:umid:060a2b34.01010105.01010f20.13000000.a1b2c3d4.e5f60718.293a4b5c.6d7e8f90",
    ),
    *rule("FLOW-COLL-09", MULTI, "flow_collection", []),
]


@pytest.mark.parametrize(("format_", "path", "value"), REJECTED)
def test_an_invalid_flow_is_rejected_and_not_stored(tams: TamsClient, format_: str, path: str, value: Any) -> None:
    document = changed(flow(format_), path, value)
    response = put_flow(tams, document)
    assert response.status_code == 400, f"{response.status_code} {response.text}"
    assert not flow_exists(tams, document["id"])


@pytest.mark.parametrize(("format_", "path", "value"), ACCEPTED)
def test_a_valid_flow_is_accepted_and_kept_as_sent(tams: TamsClient, format_: str, path: str, value: Any) -> None:
    document = tams.make_flow(changed(flow(format_), path, value))
    assert document.items() <= read_flow(tams, document["id"]).items()


@pytest.mark.behaviour("FLOW-VAL-03")
def test_a_multi_flow_needs_nothing_but_its_format(tams: TamsClient) -> None:
    document = tams.make_flow(flow(MULTI))
    assert set(document) == {"id", "source_id", "format"}


@pytest.mark.behaviour("FLOW-VAL-05", "FLOW-VAL-07")
@pytest.mark.parametrize("vfr", [OMITTED, False, True])
def test_only_a_variable_frame_rate_may_omit_frame_rate(tams: TamsClient, vfr: Any) -> None:
    rateless = changed(flow(VIDEO), f"{ESSENCE}.frame_rate", OMITTED)
    document = rateless if vfr is OMITTED else changed(rateless, f"{ESSENCE}.vfr", vfr)
    assert put_flow(tams, document).status_code == (201 if vfr is True else 400)


@pytest.mark.behaviour("FLOW-VAL-18", "A22")
@pytest.mark.parametrize(
    ("name", "value"),
    [("timerange", "junk"), ("created", 5), ("metadata_updated", "yesterday"), ("collected_by", "nobody")],
)
def test_an_invalid_value_of_a_managed_member_is_rejected_or_ignored(tams: TamsClient, name: str, value: Any) -> None:
    document = flow()
    response = put_flow(tams, {**document, name: value})
    assert response.status_code in (201, 400)
    assert flow_exists(tams, document["id"]) == (response.status_code == 201)
    if response.status_code == 201:
        assert read_flow(tams, document["id"], include_timerange=True).get(name) != value


def uncompressed(format_: str, **parameters: Any) -> Json:
    document = flow(format_, codec=UNCODED[format_])
    return {**document, ESSENCE: {**document[ESSENCE], **parameters}}


@pytest.mark.behaviour("FLOW-VAL-20")
@pytest.mark.parametrize(("format_", "packing"), [(VIDEO, "v210"), (AUDIO, "interleaved")])
def test_an_uncompressed_flow_with_all_its_parameters_is_accepted(tams: TamsClient, format_: str, packing: str) -> None:
    document = uncompressed(format_, bit_depth=10, unc_parameters={"unc_type": packing})
    assert put_flow(tams, document).status_code == 201


@pytest.mark.behaviour("FLOW-VAL-20", "A23")
@pytest.mark.parametrize("format_", [VIDEO, AUDIO])
def test_an_uncompressed_flow_without_parameters_is_accepted_or_rejected(tams: TamsClient, format_: str) -> None:
    document = uncompressed(format_)
    response = put_flow(tams, document)
    assert response.status_code in (201, 400)
    assert flow_exists(tams, document["id"]) == (response.status_code == 201)
