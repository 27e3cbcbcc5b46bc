"""Types of the documents of TAMS, made from the schemas in api/ by `make models`. Do not edit.

Documents stay what they are, JSON: members that a later 8.x version adds are kept.
"""

from typing import Any, Literal, NotRequired, TypedDict

Tags = dict[str, str | list[str]]
"""Free metadata by name. Each value is one text or a list of texts."""


class CollectionItem(TypedDict):
    """One Source within a collection of Sources, or one Flow within a collection of Flows."""

    id: str
    role: NotRequired[str]


class ContainerMappingAudioTrack(TypedDict):
    """Which channels of a sound track make up the Flow."""

    channel_numbers: NotRequired[list[int]]
    channel_range: NotRequired[str]


class ContainerMappingMp2tsContainer(TypedDict):
    """For an MPEG-2 transport stream (ISO/IEC 13818-1, ITU-T H.222.0)."""

    pid: NotRequired[int]


class ContainerMappingMxfContainer(TypedDict):
    """For an MXF file (SMPTE ST 377-1)."""

    package_uid: NotRequired[str]
    track_id: NotRequired[int]


class ContainerMappingIsobmffContainer(TypedDict):
    """For a file of the ISO base media format, such as MP4 or MOV (ISO/IEC 14496-12)."""

    track_id: NotRequired[int]


class ContainerMapping(TypedDict):
    """Which track of a container file carries the essence of a Flow."""

    track_index: NotRequired[int]
    format_track_index: NotRequired[int]
    audio_track: NotRequired[ContainerMappingAudioTrack]
    mp2ts_container: NotRequired[ContainerMappingMp2tsContainer]
    mxf_container: NotRequired[ContainerMappingMxfContainer]
    isobmff_container: NotRequired[ContainerMappingIsobmffContainer]


class Error(TypedDict):
    """Why an operation that runs in the background, or one entry of a list, failed."""

    type: str
    summary: str
    traceback: NotRequired[list[str]]
    time: str


class FlowDeleteRequest(TypedDict):
    """A deletion that goes on in the background, and how far it has come."""

    id: str
    flow_id: str
    timerange_to_delete: str
    timerange_remaining: NotRequired[str]
    delete_flow: bool
    created: NotRequired[str]
    created_by: NotRequired[str]
    updated: NotRequired[str]
    expiry: NotRequired[str]
    status: Literal["created", "started", "done", "error"]
    error: NotRequired[Error]


class EventMechanism(TypedDict):
    """One way to learn of events, such as `webhooks`."""

    name: str
    docs: NotRequired[str]
    config: NotRequired[dict[str, Any]]


class FlowCollectionItem(TypedDict):
    """A Flow in the collection of another."""

    id: str
    role: NotRequired[str]
    container_mapping: NotRequired[ContainerMapping]


class FailedSegment(TypedDict):
    """A Segment that was not added."""

    object_id: str
    timerange: NotRequired[str]
    error: NotRequired[Error]


class FailedSegments(TypedDict):
    """Which Segments of a list were not added."""

    failed_segments: list[FailedSegment]


class UncontrolledUrl(TypedDict):
    """Where somebody else keeps the bytes of an Object."""

    url: str
    label: str


class NewSegment(TypedDict):
    """Places an Object, or part of one, on the timeline of a Flow."""

    object_id: str
    init_object_id: NotRequired[str]
    ts_offset: NotRequired[str]
    timerange: str
    object_timerange: NotRequired[str]
    last_duration: NotRequired[str]
    sample_offset: NotRequired[int]
    sample_count: NotRequired[int]
    get_urls: NotRequired[list[UncontrolledUrl]]
    key_frame_count: NotRequired[int]


class GetUrl(TypedDict):
    """Where the bytes of an Object can be read. Absent, `controlled` means true and `presigned` false."""

    store_type: NotRequired[Literal["http_object_store"]]
    provider: NotRequired[str]
    region: NotRequired[str]
    availability_zone: NotRequired[str]
    store_product: NotRequired[str]
    tags: NotRequired[Tags]
    storage_id: NotRequired[str]
    url: str
    presigned: NotRequired[bool]
    label: NotRequired[str]
    controlled: NotRequired[bool]


class InitReference(TypedDict):
    """The initialisation Object to load before the media."""

    object_id: str
    get_urls: NotRequired[list[GetUrl]]


class Segment(TypedDict):
    """An Object, or part of one, on the timeline of a Flow, with the URLs to fetch it from."""

    object_id: str
    ts_offset: NotRequired[str]
    timerange: str
    last_duration: NotRequired[str]
    object_timerange: NotRequired[str]
    sample_offset: NotRequired[int]
    sample_count: NotRequired[int]
    init_object: NotRequired[InitReference]
    key_frame_count: NotRequired[int]
    get_urls: NotRequired[list[GetUrl]]


class StorageRequest(TypedDict):
    """How many new Objects a client wants to write, or which ones, and where."""

    limit: NotRequired[int]
    object_ids: NotRequired[list[str]]
    storage_id: NotRequired[str]
    content_type: NotRequired[str]
    presigned: NotRequired[bool]


HttpRequest = TypedDict(
    "HttpRequest",
    {"url": str, "body": NotRequired[str], "content-type": NotRequired[str], "headers": NotRequired[dict[str, str]]},
)
"""All that a client needs to send one particular HTTP request."""


class Slot(TypedDict):
    """One new Object."""

    object_id: str
    put_url: HttpRequest
    presigned: NotRequired[bool]


class AllocatedStorage(TypedDict):
    """New Objects in a storage backend of type `http_object_store`, with the request that uploads each."""

    media_objects: NotRequired[list[Slot]]


class InitObject(TypedDict):
    """The initialisation Object to load before this one."""

    id: str
    get_urls: NotRequired[list[GetUrl]]


class MediaObject(TypedDict):
    """A file that Segments refer to: either media, or the initialisation that media needs."""

    id: str
    referenced_by_flows: list[str]
    first_referenced_by_flow: NotRequired[str]
    timerange: NotRequired[str]
    init_object: NotRequired[InitObject]
    key_frame_count: NotRequired[int]
    get_urls: NotRequired[list[GetUrl]]


class Profile(TypedDict):
    """A named set of technical properties to make Flows from."""

    id: str
    label: NotRequired[str]
    description: NotRequired[str]
    created_by: NotRequired[str]
    created: NotRequired[str]
    tags: NotRequired[Tags]
    flow_metadata: dict[str, Any]


class ServiceChange(TypedDict):
    """What to change about the service."""

    name: NotRequired[str]
    description: NotRequired[str]


class Service(TypedDict):
    """What this service is and what clients need to know before they use it."""

    name: NotRequired[str]
    description: NotRequired[str]
    type: str
    api_version: str
    service_version: NotRequired[str]
    event_stream_mechanisms: NotRequired[list[EventMechanism]]
    min_object_timeout: str
    min_presigned_url_timeout: NotRequired[str]


class Source(TypedDict):
    """A piece of content, independent of any coding, such as the programme sound of a bulletin (a Source in the sense
    of AMWA MS-04)."""

    id: str
    format: Literal[
        "urn:x-nmos:format:video",
        "urn:x-tam:format:image",
        "urn:x-nmos:format:audio",
        "urn:x-nmos:format:data",
        "urn:x-nmos:format:multi",
    ]
    label: NotRequired[str]
    description: NotRequired[str]
    created_by: NotRequired[str]
    updated_by: NotRequired[str]
    created: NotRequired[str]
    updated: NotRequired[str]
    tags: NotRequired[Tags]
    source_collection: NotRequired[list[CollectionItem]]
    collected_by: NotRequired[list[str]]


class StorageBackend(TypedDict):
    """A store in which the service can keep Objects."""

    store_type: Literal["http_object_store"]
    provider: str
    region: NotRequired[str]
    availability_zone: NotRequired[str]
    store_product: str
    tags: NotRequired[Tags]
    id: str
    label: NotRequired[str]
    default_storage: NotRequired[bool]


class Webhook(TypedDict):
    """A webhook and its status."""

    url: str
    api_key_name: NotRequired[str]
    events: list[
        Literal[
            "flows/created",
            "flows/updated",
            "flows/deleted",
            "flows/segments_added",
            "flows/segments_deleted",
            "sources/created",
            "sources/updated",
            "sources/deleted",
        ]
    ]
    flow_ids: NotRequired[list[str]]
    source_ids: NotRequired[list[str]]
    flow_collected_by_ids: NotRequired[list[str]]
    source_collected_by_ids: NotRequired[list[str]]
    accept_get_urls: NotRequired[list[str]]
    accept_storage_ids: NotRequired[list[str]]
    presigned: NotRequired[bool]
    verbose_storage: NotRequired[bool]
    include_object_timerange: NotRequired[bool]
    tags: NotRequired[Tags]
    id: str
    error: NotRequired[Error]
    status: Literal["created", "started", "disabled", "error"]


class NewWebhook(TypedDict):
    """A new webhook."""

    url: str
    api_key_name: NotRequired[str]
    events: list[
        Literal[
            "flows/created",
            "flows/updated",
            "flows/deleted",
            "flows/segments_added",
            "flows/segments_deleted",
            "sources/created",
            "sources/updated",
            "sources/deleted",
        ]
    ]
    flow_ids: NotRequired[list[str]]
    source_ids: NotRequired[list[str]]
    flow_collected_by_ids: NotRequired[list[str]]
    source_collected_by_ids: NotRequired[list[str]]
    accept_get_urls: NotRequired[list[str]]
    accept_storage_ids: NotRequired[list[str]]
    presigned: NotRequired[bool]
    verbose_storage: NotRequired[bool]
    include_object_timerange: NotRequired[bool]
    tags: NotRequired[Tags]
    api_key_value: NotRequired[str]
    status: NotRequired[Literal["created", "disabled"]]


class WebhookChange(TypedDict):
    """The new state of a webhook."""

    url: str
    api_key_name: NotRequired[str]
    events: list[
        Literal[
            "flows/created",
            "flows/updated",
            "flows/deleted",
            "flows/segments_added",
            "flows/segments_deleted",
            "sources/created",
            "sources/updated",
            "sources/deleted",
        ]
    ]
    flow_ids: NotRequired[list[str]]
    source_ids: NotRequired[list[str]]
    flow_collected_by_ids: NotRequired[list[str]]
    source_collected_by_ids: NotRequired[list[str]]
    accept_get_urls: NotRequired[list[str]]
    accept_storage_ids: NotRequired[list[str]]
    presigned: NotRequired[bool]
    verbose_storage: NotRequired[bool]
    include_object_timerange: NotRequired[bool]
    tags: NotRequired[Tags]
    id: str
    api_key_value: NotRequired[str]
    status: Literal["created", "disabled"]


class FlowCommon(TypedDict):
    """What every Flow has apart from its coding."""

    id: str
    source_id: str
    label: NotRequired[str]
    description: NotRequired[str]
    created_by: NotRequired[str]
    updated_by: NotRequired[str]
    tags: NotRequired[Tags]
    metadata_version: NotRequired[str]
    generation: NotRequired[int]
    created: NotRequired[str]
    metadata_updated: NotRequired[str]
    segments_updated: NotRequired[str]
    status: NotRequired[Literal["awaiting_content", "ingesting", "replication_in_progress", "closed_complete"]]
    read_only: NotRequired[bool]
    max_bit_rate: NotRequired[int]
    timerange: NotRequired[str]
    flow_collection: NotRequired[list[FlowCollectionItem]]
    collected_by: NotRequired[list[str]]
    profile_id: NotRequired[str]


class Fraction(TypedDict):
    """A number as a fraction; the denominator is 1 if it is absent."""

    numerator: int
    denominator: NotRequired[int]


class AspectRatio(TypedDict):
    """Width over height."""

    numerator: int
    denominator: int


class VideoEssenceUncParameters(TypedDict):
    """Parameters of uncompressed pictures."""

    unc_type: Literal[
        "planar",
        "YUYV",
        "UYVY",
        "AYUV",
        "v210",
        "v216",
        "RGB",
        "RGBx",
        "xRGB",
        "BGRx",
        "xBGR",
        "RGBA",
        "ARGB",
        "BGRA",
        "ABGR",
        "alpha",
    ]


class VideoEssenceAvcParameters(TypedDict):
    """Three bytes of the H.264 sequence parameter set, as decimal numbers."""

    profile: int
    level: int
    flags: int


class VideoEssence(TypedDict):
    """What the pictures are like once decoded, with some parameters of their coding."""

    frame_width: int
    frame_height: int
    bit_depth: NotRequired[int]
    interlace_mode: NotRequired[Literal["progressive", "interlaced_tff", "interlaced_bff", "interlaced_psf"]]
    colorspace: NotRequired[Literal["BT601", "BT709", "BT2020", "BT2100"]]
    transfer_characteristic: NotRequired[Literal["SDR", "HLG", "PQ"]]
    aspect_ratio: NotRequired[AspectRatio]
    pixel_aspect_ratio: NotRequired[AspectRatio]
    component_type: NotRequired[Literal["YCbCr", "RGB"]]
    horiz_chroma_subs: NotRequired[int]
    vert_chroma_subs: NotRequired[int]
    unc_parameters: NotRequired[VideoEssenceUncParameters]
    avc_parameters: NotRequired[VideoEssenceAvcParameters]
    frame_rate: NotRequired[Fraction]
    vfr: NotRequired[bool]
    init_segments: NotRequired[bool]


class VideoFlow(FlowCommon):
    """A Flow of moving pictures."""

    codec: str
    container: NotRequired[str]
    avg_bit_rate: NotRequired[int]
    segment_duration: NotRequired[Fraction]
    container_mapping: NotRequired[ContainerMapping]
    format: Literal["urn:x-nmos:format:video"]
    essence_parameters: VideoEssence


class AudioEssenceCodecParameters(TypedDict):
    """Parameters of coded sound."""

    coded_frame_size: NotRequired[int]
    mp4_oti: NotRequired[int]


class AudioEssenceUncParameters(TypedDict):
    """Parameters of uncompressed sound."""

    unc_type: Literal["interleaved", "planar", "pairs"]


class AudioEssence(TypedDict):
    """What the sound is like once decoded, with some parameters of its coding."""

    sample_rate: int
    channels: int
    bit_depth: NotRequired[int]
    codec_parameters: NotRequired[AudioEssenceCodecParameters]
    unc_parameters: NotRequired[AudioEssenceUncParameters]
    init_segments: NotRequired[bool]


class AudioFlow(FlowCommon):
    """A Flow of sound."""

    codec: str
    container: NotRequired[str]
    avg_bit_rate: NotRequired[int]
    segment_duration: NotRequired[Fraction]
    container_mapping: NotRequired[ContainerMapping]
    format: Literal["urn:x-nmos:format:audio"]
    essence_parameters: AudioEssence


class ImageEssence(TypedDict):
    """What each still picture is like once decoded."""

    frame_width: int
    frame_height: int
    aspect_ratio: NotRequired[AspectRatio]


class ImageFlow(FlowCommon):
    """A Flow of still pictures, such as a track of thumbnails."""

    codec: str
    container: NotRequired[str]
    avg_bit_rate: NotRequired[int]
    segment_duration: NotRequired[Fraction]
    container_mapping: NotRequired[ContainerMapping]
    format: Literal["urn:x-tam:format:image"]
    essence_parameters: ImageEssence


class DataEssence(TypedDict):
    """What the data is about."""

    data_type: NotRequired[str]
    init_segments: NotRequired[bool]


class DataFlow(FlowCommon):
    """A Flow of timed data that is neither picture nor sound: subtitles, events, positions."""

    codec: str
    container: NotRequired[str]
    avg_bit_rate: NotRequired[int]
    segment_duration: NotRequired[Fraction]
    container_mapping: NotRequired[ContainerMapping]
    format: Literal["urn:x-nmos:format:data"]
    essence_parameters: DataEssence


class MultiEssence(TypedDict):
    """What the files of the Flow have in common."""

    init_segments: NotRequired[bool]


class MultiFlow(FlowCommon):
    """A Flow that brings Flows of several formats together."""

    codec: NotRequired[str]
    container: NotRequired[str]
    avg_bit_rate: NotRequired[int]
    segment_duration: NotRequired[Fraction]
    container_mapping: NotRequired[ContainerMapping]
    format: Literal["urn:x-nmos:format:multi"]
    essence_parameters: NotRequired[MultiEssence]


Flow = VideoFlow | AudioFlow | ImageFlow | DataFlow | MultiFlow
"""A flow, of the format that its `format` says."""
