"""tams ingest: store a file or a stream as flows."""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from storage.timerange import NS, TimeRange
from tams_server.client import RetryPolicy
from tams_server.client.errors import shown_url
from tams_server.client_cli.columns import member
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import INTERRUPTED, OK, WRONG_USE, CommandError
from tams_server.client_cli.kinds import check_backend
from tams_server.client_cli.media_extra import media_extra, next_steps, quoted
from tams_server.client_cli.parsers import Subparsers, add_command, positive
from tams_server.client_cli.progress import Progress, counted, duration, size
from tams_server.client_cli.stop_signal import ended_by_signal, stopped_by_signal
from tams_server.client_cli.tables import Column

if TYPE_CHECKING:
    from tams_server.client_media.ingest import FlowResult, IngestResult
    from tams_server.client_media.ingest_options import IngestOptions
    from tams_server.client_media.media_input import Input

INGEST = """
Store a file or a stream as flows. It is cut at key frames into segments of MPEG-TS or fragmented
MP4; nothing is re-encoded, and every frame keeps its exact time. Each essence becomes a flow
with a source, and a multi flow collects them. Any file that FFmpeg reads will do.

  tams ingest clip.mp4
      the timeline begins at 0:0, so that 'tams export' takes times as a player shows them
  tams ingest clip.mov --label "Evening news" --tag genre=news --start creation-time
  tams ingest clip.mxf --start timecode --muxed --segment-duration 10
  tams ingest clip.mp4 --dry-run
      shows the flows that it would create
  some-encoder -f mpegts - | tams ingest --live -
  tams ingest --live https://example.com/live/index.m3u8 --label "Camera 1"
  tams ingest --live udp://239.1.2.3:5000
  tams ingest --live --listen rtmp://0.0.0.0:1935/live/camera-1
      an encoder, such as OBS, sends to this machine

If it is interrupted, the same command continues: segments that are stored are not sent again.
A file that is complete in the store is not stored twice, unless --again says so.

Live inputs are MPEG-TS on standard input, HLS, HTTP, RTMP, RTSP and UDP. PyAV's libraries have no
SRT: pipe it in from srt-live-transmit or ffmpeg. A live input ends when its sender ends it, when
the connection is lost, with Ctrl-C, or after a minute of silence; the flows are then marked as
complete. While the server is away, up to --retry seconds, the input waits.
"""
_LISTENING = ("rtmp://", "tcp://", "http://")
_COLUMNS = (
    Column("FLOW", member("id")),
    Column("FORMAT", member("format")),
    Column("CODEC", member("codec"), short=True),
    Column("IN", member("container")),
    Column("SEGMENTS", member("segments"), right=True),
    Column("TIMERANGE", member("timerange"), short=True),
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "ingest", run, "store a file or a stream as flows", INGEST)
    parser.add_argument("name", metavar="FILE|URL|-", help="what to read; - is standard input")
    parser.add_argument(
        "--label", metavar="TEXT", help="of the flows and sources (default: the name of the file; of a URL, its host)"
    )
    parser.add_argument("--description", metavar="TEXT", help="of the flows and sources")
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        type=_tag,
        metavar="NAME=VALUE",
        help="of the flows and sources; repeat it",
    )
    parser.add_argument(
        "--start",
        metavar="TIME",
        help="where the timeline begins: a timestamp (1800000000:0), a date and time in UTC, now, creation-time or"
        " timecode (default: 0:0; with --live, now). Times of day count in TAI",
    )
    parser.add_argument(
        "--segment-duration", type=_seconds, default=Fraction(2), metavar="SECONDS", help="to aim at (default: 2)"
    )
    parser.add_argument(
        "--container", choices=("ts", "mp4", "mov", "wav", "mkv"), help="of the segments (default: by the codec)"
    )
    parser.add_argument("--muxed", action="store_true", help="one flow with all essences in its files")
    parser.add_argument("--live", action="store_true", help="a stream that goes on while it is stored")
    parser.add_argument(
        "--listen", action="store_true", help="wait at the URL for a sender, instead of connecting to it"
    )
    parser.add_argument("--parallel", type=positive, default=4, metavar="N", help="uploads at a time (default: 4)")
    parser.add_argument(
        "--verify",
        choices=("checksum", "read-back", "none"),
        default="checksum",
        help="how to check what is stored: by the store's checksum, else by reading it back; always by reading it back;"
        " or not (default: checksum)",
    )
    parser.add_argument("--storage-backend", metavar="ID", help="where to store (default: the server's choice)")
    parser.add_argument(
        "--retry", type=positive, metavar="SECONDS", help="how long to retry (default: 600; live: 3600)"
    )
    parser.add_argument("--again", action="store_true", help="store it once more, though it is there")
    parser.add_argument("--dry-run", action="store_true", help="store nothing, and print the flows")


def run(options: argparse.Namespace, context: Context) -> int:
    """Ingest, and print the flows."""
    with media_extra():
        return _run(options, context)


def _run(options: argparse.Namespace, context: Context) -> int:
    from tams_server.client_media.ingest import Ingest

    if "://" not in options.name and options.name != "-" and not os.path.exists(options.name):
        raise CommandError(f"there is no file {options.name!r}", WRONG_USE)
    what = _what(options)
    if options.listen and not (options.live and options.name.startswith(_LISTENING)):
        raise CommandError(f"--listen needs --live, and a URL that begins with {', '.join(_LISTENING)}", WRONG_USE)
    policy = context.retrying(RetryPolicy(for_s=what.retry_s))
    with (
        _input(options) as source,
        context.client(retry=policy) as client,
        context.progress() as progress,
    ):
        if options.storage_backend and not options.dry_run:
            check_backend(client, options.storage_backend)
        context.note(_describe(options.name, source))
        reading = progress.add("reading", _size(options.name), "bytes")
        shown = _Shown(progress, source)
        ingest = Ingest(client, source, what, read=reading.advance, progress=shown.reached, on_retry=policy.on_retry)
        progress.remove(reading)
        shown.begin()
        if options.dry_run:
            documents = list(ingest.preview())
            progress.remove(shown.task)
            for document in documents:
                context.output.document(document)
            return OK
        stopping = "" if context.quiet else "ending: what has come is stored first. Ctrl-C again ends at once"
        try:
            with stopped_by_signal(ingest.stop, stopping) if options.live else nullcontext():
                result = ingest.run()
        except KeyboardInterrupt:
            progress.remove(shown.task)
            context.note("interrupted: the same command continues where it stopped")
            return INTERRUPTED
        progress.remove(shown.task)
    _print(result, context)
    if result.damage:
        raise CommandError(result.damage)
    return OK


@contextmanager
def _input(options: argparse.Namespace) -> "Iterator[Input]":
    """The open input. Raises MediaError."""
    from tams_server.client_media.media_input import opened

    with ExitStack() as stack:
        with ended_by_signal() if options.live else nullcontext():
            source = stack.enter_context(opened(options.name, live=options.live, listen=options.listen))
        yield source


class _Shown:
    """The progress of an ingest in seconds of media."""

    def __init__(self, progress: Progress, source: "Input") -> None:
        self._progress = progress
        self._total = float(source.duration) if source.duration else None
        self._origin = source.origin

    def begin(self) -> None:
        self.task = self._progress.add("ingesting", self._total, "seconds")

    def reached(self, end: Fraction) -> None:
        at = float(end - self._origin)
        if at > self.task.done + 0.2:
            self.task.set(at)


def _what(options: argparse.Namespace) -> "IngestOptions":
    from tams_server.client_media.ingest_options import IngestOptions

    return IngestOptions(
        options.name,
        options.start,
        options.segment_duration,
        options.container,
        options.muxed,
        options.live,
        options.label,
        options.description,
        dict(options.tag),
        options.parallel,
        options.verify,
        options.storage_backend,
        options.again,
        float(options.retry or (3600 if options.live else 600)),
    )


def _describe(name: str, source: "Input") -> str:
    streams = []
    for stream in source.streams:
        context = stream.codec_context
        codec = context.codec.canonical_name
        if stream.type == "video":
            rate = f" {float(stream.average_rate):.5g}/s" if stream.average_rate else ""
            streams.append(f"video {codec} {context.width}x{context.height}{rate}")
        else:
            streams.append(f"audio {codec} {context.sample_rate} Hz {context.channels} ch")
    length = f", {duration(float(source.duration))}" if source.duration else ""
    left_out = f" (left out: {', '.join(source.left_out)})" if source.left_out else ""
    shown = "standard input" if name == "-" else shown_url(name) if "://" in name else name
    return f"{shown}: {'; '.join(streams)}{length}{left_out}"


def _size(name: str) -> int | None:
    return os.path.getsize(name) if os.path.isfile(name) else None


def _print(result: "IngestResult", context: Context) -> None:
    flows = [_row(each) for each in result.flows if result.complete or each.segments or each.known]
    if result.multi_id and result.multi_id not in [each["id"] for each in flows]:
        flows.append({"id": result.multi_id, "format": "multi", "codec": "", "container": "", "timerange": ""})
    first = result.multi_id or result.flows[0].id
    if context.output.format == "id":
        context.output.line(first)
        return
    context.output.listing(flows, _COLUMNS)
    if result.complete:
        context.note("All of it is in the store already. --again stores it once more.")
    else:
        segments, stored = sum(each.segments for each in result.flows), sum(each.size for each in result.flows)
        known = sum(each.known for each in result.flows)
        before = f" ({known:,} were there)" if known else ""
        context.note(f"{counted(segments, 'segment')} stored{before}, {size(stored)}, in {duration(result.seconds)}")
    for note in result.notes:
        context.note(f"note: {note}")
    begin, end = next((each.timerange.bounds for each in result.flows if each.timerange), (0, 3 * NS))
    example = str(TimeRange(begin + NS, begin + 3 * NS) if end >= begin + 3 * NS else TimeRange(begin, end))
    next_steps(
        context,
        (f"tams show {first}", "what the store has now"),
        (f"tams play {first}", "watch it"),
        (f"tams export {first} out.mp4 --timerange {quoted(example)}", "take exact frames out"),
        ("tams ls flows", "all flows"),
    )


def _row(flow: "FlowResult") -> dict[str, Any]:
    return {
        "id": flow.id,
        "format": flow.kind,
        "codec": flow.codec,
        "container": flow.container,
        "segments": flow.segments + flow.known,
        "timerange": str(flow.timerange or ""),
    }


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name, value


def _seconds(text: str) -> Fraction:
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}") from error
    if not Fraction(1, 10) <= found <= 3600:
        raise argparse.ArgumentTypeError(f"must be from 0.1 to 3600 seconds, not {text!r}")
    return found
