"""Playlists of flows and sources, as players read them: who may read them, and for how long they are kept."""

from collections.abc import Callable, Hashable
from typing import Literal

from storage.catalog.access.backends import readable_backends
from storage.catalog.access.checks import require
from storage.catalog.caller import Caller
from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrlFilter
from storage.catalog.playback.dash import DashManifests
from storage.catalog.playback.hls import HlsPlaylists
from storage.catalog.playback.playlist_request import PlaylistRequest
from storage.catalog.playback.playlist_text import PlaylistText
from storage.catalog.playback.readings import Readings
from storage.catalog.playback.recent_texts import RecentTexts
from storage.catalog.playback.signed_playlists import SignedPlaylists
from storage.media.url_keys import UrlKeys

_Kind = Literal["flow", "source"]


class Playback:
    """The playlists of one service. keys: sign the URLs of playlists that playlists name; None to sign none.

    base_url: origin and base path of this server, for URLs of its own media store.
    """

    def __init__(self, env: Environment, keys: UrlKeys | None = None) -> None:
        self._env = env
        # With rules on classes, a signature would outlive a change of classes.
        self.signed = SignedPlaylists(None if env.access.enabled else keys)
        self._recent: RecentTexts[PlaylistText] = RecentTexts()
        readings = Readings(env)
        self._hls = HlsPlaylists(env, self.signed, readings)
        self._dash = DashManifests(env, self.signed, readings)

    def flow_playlist(self, caller: Caller, flow_id: str, request: PlaylistRequest, base_url: str) -> PlaylistText:
        """The media playlist of a flow, at most a second old; of a multi flow without a container, a multivariant one.

        Raises: NotFound, Forbidden; Unsuitable for what HLS cannot carry; Invalid for too many segments; Unavailable
        if stores take long.
        """
        return self._written(
            caller,
            "flow",
            flow_id,
            ("m3u8", request, base_url),
            lambda filters: self._hls.write_flow(caller, flow_id, request, filters, base_url),
        )

    def source_playlist(self, caller: Caller, source_id: str, request: PlaylistRequest) -> PlaylistText:
        """The multivariant playlist of a source, at most a second old. Its URIs are relative to its own.

        Raises: NotFound, Forbidden; Unsuitable if players can play none of its flows; Unavailable if stores take long.
        """
        return self._written(
            caller,
            "source",
            source_id,
            ("m3u8", request),
            lambda filters: self._hls.write_source(caller, source_id, request, filters),
        )

    def manifest(self, caller: Caller, kind: _Kind, id_: str, request: PlaylistRequest, base_url: str) -> PlaylistText:
        """The media presentation description (DASH) of a flow or source, at most a second old.

        Raises: as `flow_playlist`.
        """
        return self._written(
            caller,
            kind,
            id_,
            ("mpd", request, base_url),
            lambda filters: self._dash.write(caller, kind, id_, request, filters, base_url),
        )

    def _written(
        self,
        caller: Caller,
        kind: _Kind,
        id_: str,
        parts: tuple[Hashable, ...],
        write: Callable[[GetUrlFilter], PlaylistText],
    ) -> PlaylistText:
        """What `write` returns, or has returned within a second for a caller with the same rights.

        What a programme has depends on which flows the caller may read, which its groups tell.
        """
        backends = readable_backends(self._env, caller)
        if caller.is_restricted:
            with self._env.engine.read_once() as tx:
                require(tx, caller, kind, id_, "read")
        groups = caller.groups if caller.is_restricted else None
        return self._recent.get((kind, id_, groups, *parts), lambda: write(GetUrlFilter(backends=backends)))
