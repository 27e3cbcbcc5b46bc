"""The options of tams-server replicate, and the plan that they make."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from storage.timerange import parse_timerange

if TYPE_CHECKING:
    from tams_server.replication.run import Events, Plan

REPLICATE = """
Copy flows from one TAMS server to another, under the same ids, and keep them the same. Both
may be any server of TAMS 8.x; nothing has to be installed on either.

  tams-server replicate https://here.example https://there.example --flow ID
      copies a flow: its source, its metadata, the members of its collection, its segments
      and objects. Run it again, and it copies what is new. Interrupted at any point, it
      continues where it stopped.
  tams-server replicate ... --source ID --follow
      copies all flows of a source, then keeps copying what is added or changed at FROM.
  tams-server replicate ... --flow ID --dry-run
      says what it would do.

Nothing of TO's own is overwritten: other content at the same time, another flow with the same
id, or a flow that is read_only at TO, is reported as a conflict.

Credentials are read from the environment, never from the command line. FROM_TAMS_ is for
FROM, and TO_TAMS_ for TO:
  FROM_TAMS_TOKEN        a bearer token
  FROM_TAMS_BASIC        user:password
  FROM_TAMS_CLIENT       id:secret, with FROM_TAMS_TOKEN_URL, and FROM_TAMS_SCOPE if needed:
                         OAuth 2 client credentials
Each may be given as a file: FROM_TAMS_TOKEN_FILE=/run/secrets/token. FROM needs the scope read
(and with --webhook, write), TO read and write (and with --delete, delete).

Exit status: 0 if TO has all that was asked for, 1 if something could not be copied, 2 for
wrong use, 130 if interrupted.
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(wrong_use=parser.error)
    parser.add_argument("origin", metavar="FROM", help="base URL of the server to copy from")
    parser.add_argument("target", metavar="TO", help="base URL of the server to copy to")
    what = parser.add_argument_group("what to copy")
    what.add_argument("--flow", action="append", default=[], metavar="ID", help="this flow; may be repeated")
    what.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="ID",
        help="all flows of this source, and of those that it collects; may be repeated",
    )
    what.add_argument(
        "--timerange", default="_", metavar="RANGE", help="only segments that overlap it, such as [0:0_60:0)"
    )
    live = parser.add_argument_group("while FROM changes")
    live.add_argument("--follow", action="store_true", help="keep copying until interrupted")
    live.add_argument(
        "--interval", type=_seconds, default=2.0, metavar="SECONDS", help="time between two polls (default: 2)"
    )
    live.add_argument(
        "--delete",
        action="store_true",
        help="delete at TO what FROM does not have: segments, and flows that are deleted there",
    )
    live.add_argument(
        "--webhook",
        metavar="URL",
        help="have FROM send its events to this URL, at which it reaches this machine, and copy at once",
    )
    live.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="where to listen for them (default: all addresses, and the port of the URL)",
    )
    how = parser.add_argument_group("how to copy")
    how.add_argument("--parallel", type=_count, default=4, metavar="N", help="objects at a time (default: 4)")
    how.add_argument("--rate", type=_rate, metavar="BYTES", help="bytes a second at most, such as 500k or 20M")
    how.add_argument(
        "--verify",
        type=_percentage,
        nargs="?",
        const=1.0,
        default=0.0,
        metavar="PERCENT",
        help="read objects at TO again and compare their SHA-256: all, or so many percent of them",
    )
    how.add_argument(
        "--storage-backend", metavar="ID", help="storage backend at TO for new objects (default: TO's own choice)"
    )
    how.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="file for upload URLs of objects that are under way (default: tams/replicate.sqlite in $XDG_STATE_HOME)",
    )
    how.add_argument("--dry-run", action="store_true", help="change nothing, and say what would be copied")


def plan_of(options: argparse.Namespace) -> "Plan":
    """The plan for a run. Ends the process for wrong options. Raises SettingsError for wrong variables."""
    from tams_server.cli.server_credentials import credentials_of
    from tams_server.replication.options import Options
    from tams_server.replication.run import Plan, Server
    from tams_server.replication.state import default_path

    errors = [
        f"{name} must be the URL of a TAMS API, without a user and a password: set {variable} instead"
        for name, url, variable in (
            ("FROM", options.origin, "FROM_TAMS_BASIC"),
            ("TO", options.target, "TO_TAMS_BASIC"),
        )
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname or "@" in urlsplit(url).netloc
    ]
    if options.origin.rstrip("/") == options.target.rstrip("/"):
        errors.append("FROM and TO are the same server")
    if not options.flow and not options.source:
        errors.append("state what to copy: --flow ID or --source ID")
    errors += [
        f"{name} needs --follow"
        for name, value in (("--delete", options.delete), ("--webhook", options.webhook))
        if value and not options.follow
    ]
    if options.listen and not options.webhook:
        errors.append("--listen needs --webhook")
    if options.dry_run and options.follow:
        errors.append("--dry-run and --follow exclude each other")
    if errors:
        options.wrong_use("; ".join(errors))
    return Plan(
        Server(options.origin, credentials_of(os.environ, "FROM_TAMS")),
        Server(options.target, credentials_of(os.environ, "TO_TAMS")),
        Options(
            tuple(options.flow),
            tuple(options.source),
            parse_timerange(options.timerange, "--timerange"),
            options.parallel,
            options.verify,
            follow=options.follow,
            delete=options.delete,
            dry_run=options.dry_run,
        ),
        options.state or default_path(),
        options.interval,
        _events(options),
        options.rate,
        options.storage_backend,
    )


def _events(options: argparse.Namespace) -> "Events | None":
    from tams_server.replication.run import Events

    if not options.webhook:
        return None
    url = urlsplit(options.webhook)
    host, _, port = (options.listen or f"0.0.0.0:{url.port or (443 if url.scheme == 'https' else 80)}").rpartition(":")
    if url.scheme not in ("http", "https") or not port.isdecimal():
        options.wrong_use("--webhook must be a URL of HTTP, and --listen HOST:PORT")
    return Events(options.webhook, host.strip("[]"), int(port))


def _rate(text: str) -> float:
    from tams_server.replication.rate import parse_rate

    try:
        return parse_rate(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _percentage(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = -1
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"must be a percentage above 0 and up to 100, not {text!r}")
    return share


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"must be seconds from 0.1 to 86400, not {text!r}")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 64, not {text!r}")
    return int(text)
