"""Errors of work with media. Messages say what is wrong and what to do, in one line."""

from tams_server.client import ClientError


class MediaError(ClientError):
    """The media, or the way in which they are to be processed, does not permit what was asked for."""


class InvalidOption(MediaError):
    """An option makes no sense, whatever the media are."""
