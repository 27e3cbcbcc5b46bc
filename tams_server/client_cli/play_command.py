"""tams play: watch a flow."""

import argparse
import shutil
import subprocess  # nosec B404
import time
from typing import TYPE_CHECKING

import httpx

from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import FAILED, OK, REFUSED, UNREACHABLE, CommandError
from tams_server.client_cli.kinds import find
from tams_server.client_cli.parsers import Subparsers, add_command, timerange_option

if TYPE_CHECKING:
    from tams_server.client_media.playlist_proxy import PlaylistProxy

PLAYERS = ("ffplay", "mpv", "vlc")
PLAY = """
Watch a flow or a source: opens ffplay, mpv or vlc, whichever is there, with a playlist of the
server. A small proxy on this machine adds the credential, so that it appears in no command line
and no history. It runs until the player ends, or until Ctrl-C. While it does, other users of this
machine can read the proxy's address in the list of processes, and with it the flow.

  tams play FLOW
  tams play SOURCE --timerange "[60:0_120:0)"
  tams play FLOW --live
  tams play FLOW --url
      opens no player: prints the address for one

The server must make playlists (/flows/FLOW/output.m3u8), as this project's does. Its console at
/console plays too.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "play", run, "watch a flow", PLAY)
    parser.add_argument("id", metavar="FLOW", help="id of a flow or source")
    parser.add_argument("--timerange", metavar="RANGE", help="what of it to play (default: all)")
    parser.add_argument("--live", action="store_true", help="follow a flow that grows")
    parser.add_argument("--player", choices=PLAYERS, help="which player to open (default: the first that is there)")
    parser.add_argument("--url", action="store_true", help="print the address instead of opening a player")


def run(options: argparse.Namespace, context: Context) -> int:
    """Play, and return when the player ends."""
    from tams_server.client_media.playlist_proxy import PlaylistProxy

    with context.client() as client:
        kind = find(client, options.id, ("flow", "source")).kind
    params = {"type": "live"} if options.live else {}
    if options.timerange:
        params["timerange"] = str(timerange_option(options.timerange))
    server = context.server()
    with PlaylistProxy(server.url, server.credentials, f"/{kind}s/{options.id}/output.m3u8", params) as proxy:
        _check(proxy)
        player = None if options.url else _player(options.player)
        if player is not None:
            context.note(f"playing in {player}; the console of the server: {server.url.rstrip('/')}/console")
            # The player is one of PLAYERS, and the URL is that of the proxy.
            ended = subprocess.run([player, *_quiet(player), proxy.url], check=False)  # noqa: S603  # nosec B603
            return OK if ended.returncode == 0 else FAILED
        context.output.line(proxy.url)
        reason = "" if options.url else f"none of {', '.join(PLAYERS)} is installed; "
        context.note(f"{reason}open this address in a player on this machine. Ctrl-C ends it.")
        while True:
            time.sleep(3600)


def _check(proxy: "PlaylistProxy") -> None:
    """Report what the server says about the playlist before a player hides it. Raises CommandError."""
    try:
        proxy.check()
    except httpx.HTTPStatusError as error:
        if error.response.status_code == 404:
            raise CommandError("the server makes no playlists: tams export writes a file to play") from error
        try:
            document = error.response.json()
        except ValueError:
            document = {}
        reason = document.get("detail") or document.get("summary") or error.response.reason_phrase
        status = REFUSED if error.response.status_code in (401, 403) else FAILED
        raise CommandError(f"it cannot be played: {reason}", status) from error
    except httpx.TransportError as error:
        raise CommandError(f"the playlist cannot be read: {error}", UNREACHABLE) from error


def _player(wanted: str | None) -> str | None:
    for name in (wanted,) if wanted else PLAYERS:
        if found := shutil.which(name):
            return found
    if wanted:
        raise CommandError(f"{wanted} is not installed; --url prints the address for another player")
    return None


def _quiet(player: str) -> list[str]:
    return ["-loglevel", "error", "-autoexit"] if player.endswith("ffplay") else []
