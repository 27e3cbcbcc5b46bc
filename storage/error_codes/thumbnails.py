"""Codes of thumbnails."""

from storage.error_codes.code import declare

THUMBNAIL_UNSUITABLE = declare(
    "thumbnail.unsuitable",
    "unsuitable_media",
    "The flow has no pictures, or its media are in a container from which no thumbnails are made.",
    "Read `detail`. Choose a video flow.",
)
THUMBNAIL_UNDECODABLE = declare(
    "thumbnail.undecodable",
    "unsuitable_media",
    "The media at this time are damaged, in another codec, or take more processor time or memory than they may.",
    "Read `detail`, and check the media.",
)
THUMBNAIL_NOT_INSTALLED = declare(
    "thumbnail.not_installed",
    "unsuitable_media",
    "This server lacks the package for thumbnails.",
    "The operator installs `tams-server[media]`.",
)
THUMBNAIL_NO_SEGMENT = declare(
    "thumbnail.no_segment",
    "not_found",
    "The flow has no segment at this time.",
    "Read the timerange of the flow, and choose a time at which it has media.",
)
THUMBNAIL_NO_MEDIA = declare(
    "thumbnail.no_media",
    "not_found",
    "The segment has no media on a storage backend of this service that the caller may read.",
    "Upload the object, or read it at its other URLs.",
)
THUMBNAIL_BUSY = declare(
    "thumbnail.busy",
    "unavailable",
    "Too many thumbnails are being made, or the machine is too busy to make one.",
    "Repeat the request after `Retry-After`.",
    "warning",
)
