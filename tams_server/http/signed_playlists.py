"""Requests by signed URLs of playlists, which other playlists name for players without a credential."""

from typing import Final

from storage.catalog import Catalog
from storage.catalog.caller import Caller
from storage.media.signing import is_signed
from tams_server.http.exchange import Exchange

_OPERATIONS: Final = {
    "GET_flows-flowId-output-m3u8",
    "GET_flows-flowId-output-mpd",
    "GET_sources-sourceId-output-mpd",
}
_SCOPES: Final = frozenset({"read"})


def is_signed_playlist(exchange: Exchange) -> bool:
    """Whether a request has the signature of a playlist and no credential, which would take precedence."""
    operation, query = exchange.operation, exchange.query_string
    return (
        operation is not None
        and operation.id in _OPERATIONS
        and b"authorization" not in exchange.headers
        and exchange.public_query == query
        and is_signed(query)
    )


def player_caller(catalog: Catalog, exchange: Exchange) -> Caller:
    """The caller of such a request, who may read this playlist alone. Raises storage.errors.Forbidden."""
    catalog.playback.signed.check(exchange.raw_path, exchange.query_string)
    return Caller(f"player of {' '.join(exchange.raw_parameters.values())}", _SCOPES)
