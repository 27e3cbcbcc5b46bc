"""What stores call an object: its id, followed by the extension of its file name where it has one.

Players choose a demultiplexer by the extension in a URL's path, and some accept no URL without one. The id of an object
has none. The catalogue records the extension of each instance, and so keeps the names of instances from before.
"""

_BY_TYPE = {
    "application/json": ".json",
    "application/mp4": ".mp4",
    "application/mpegurl": ".m3u8",
    "application/mxf": ".mxf",
    "application/ogg": ".ogg",
    "application/ttml+xml": ".ttml",
    "application/vnd.apple.mpegurl": ".m3u8",
    "application/x-subrip": ".srt",
    "application/xml": ".xml",
    "audio/3gpp": ".3gp",
    "audio/aac": ".aac",
    "audio/aacp": ".aac",
    "audio/ac3": ".ac3",
    "audio/aiff": ".aif",
    "audio/eac3": ".ec3",
    "audio/flac": ".flac",
    "audio/iso.segment": ".m4s",
    "audio/m4a": ".m4a",
    "audio/matroska": ".mka",
    "audio/mp2t": ".ts",
    "audio/mp3": ".mp3",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/mxf": ".mxf",
    "audio/ogg": ".ogg",
    "audio/opus": ".opus",
    "audio/vnd.wave": ".wav",
    "audio/wav": ".wav",
    "audio/wave": ".wav",
    "audio/webm": ".webm",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpg",
    "image/jpg": ".jpg",
    "image/jxl": ".jxl",
    "image/jxs": ".jxs",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "text/srt": ".srt",
    "text/vtt": ".vtt",
    "text/xml": ".xml",
    "video/3gpp": ".3gp",
    "video/avi": ".avi",
    "video/iso.segment": ".m4s",
    "video/m4v": ".m4v",
    "video/matroska": ".mkv",
    "video/mp2p": ".mpg",
    "video/mp2t": ".ts",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpg",
    "video/msvideo": ".avi",
    "video/mxf": ".mxf",
    "video/ogg": ".ogv",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}
"""The usual extension by media type, without the `x-` of types that were never registered (`audio/x-wav`)."""

EXTENSIONS = frozenset(_BY_TYPE.values())

_SEPARATOR = "\ufdd02"
"""No id contains it: in text of the catalogue, U+FDD0 comes before a 0 or a 1 alone (storage.nul)."""


def without_parameters(content_type: str) -> str:
    """The type and subtype of a media type, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def extension_of(content_type: str | None) -> str:
    """The usual extension of files of this media type, such as ".ts"; "" if none is known."""
    essence = without_parameters(content_type or "")
    return _BY_TYPE.get(essence.replace("/x-", "/")) or _BY_TYPE.get(essence, "")


def extension_for(object_id: str, content_type: str | None) -> str:
    """The extension to add to the name of a new object; "" if its id ends in it already."""
    extension = extension_of(content_type)
    return "" if object_id.lower().endswith(extension) else extension


def stored_name(object_id: str, extension: str | None) -> str:
    """The name of an object whose bytes were, or will be, stored with this extension."""
    return object_id + _SEPARATOR + extension if extension else object_id


def split_name(name: str) -> tuple[str, str]:
    """The object id and the extension in a name; "" for none."""
    object_id, _, extension = name.partition(_SEPARATOR)
    return object_id, extension
