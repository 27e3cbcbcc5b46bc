"""tams export: write a timerange of a flow to a file."""

import argparse
import os
from typing import TYPE_CHECKING

from storage.timerange import NS
from tams_server.client import RetryPolicy
from tams_server.client_cli.context import Context
from tams_server.client_cli.errors import FAILED, OK, WRONG_USE, CommandError
from tams_server.client_cli.kinds import find
from tams_server.client_cli.media_extra import media_extra
from tams_server.client_cli.parsers import Subparsers, add_command, timerange_option
from tams_server.client_cli.progress import counted, duration, size

if TYPE_CHECKING:
    from tams_server.client_media.export_plan import ExportPlan
    from tams_server.client_media.export_result import ExportResult

EXPORT = """
Write a timerange of a flow, or of a source, to a file: exactly the frames whose times are in it.
Pictures are copied where that is possible; only those at the two ends, between key frames, are
re-encoded. Pictures and sound of a multi flow, or of a source, stay in step.

  tams export FLOW out.mp4
      all of it
  tams export FLOW out.mp4 --timerange "[10:0_20:0)"
  tams export FLOW out.ts --timerange "[10:0_20:0)" --copy
      encodes nothing: begins at the key frame before, and ends at the one after
  tams export FLOW out.wav --timerange "[10:0_20:500000000)"
      exactly these samples
  tams export FLOW - --format ts | ffplay -

The name of the file says the format: .mp4, .mov, .ts, .mkv or .wav. Gaps of the flow stay gaps,
so that times are right, and are listed; in a WAV file they are silence. The file is read again
when it is written.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = add_command(subparsers, "export", run, "write a timerange of a flow to a file", EXPORT)
    parser.add_argument("id", metavar="FLOW", help="id of a flow or source")
    parser.add_argument("path", metavar="FILE|-", help="where to write; - is standard output")
    parser.add_argument("--timerange", default="_", metavar="RANGE", help="of the flow (default: all)")
    parser.add_argument("--format", choices=("mp4", "mov", "ts", "mkv", "wav"), help="if the name does not say it")
    parser.add_argument("--copy", action="store_true", help="cut at key frames, and encode nothing")
    parser.add_argument("--only", choices=("video", "audio"), help="leave the other essence out")
    parser.add_argument(
        "--samples", choices=("s16", "s24", "s32", "f32"), help="of WAV (default: as in the flow; s24 for coded sound)"
    )
    parser.add_argument(
        "--gaps", choices=("keep", "fail"), default="keep", help="what to do about gaps of the flow (default: keep)"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that exists")


def run(options: argparse.Namespace, context: Context) -> int:
    """Export, and print what was written."""
    with media_extra():
        return _run(options, context)


def _run(options: argparse.Namespace, context: Context) -> int:
    from tams_server.client_media.export_file import muxer_of
    from tams_server.client_media.export_plan import plan_export, to_key_frames
    from tams_server.client_media.flow_reader import ObjectReader
    from tams_server.client_media.retries import LONG

    timerange = timerange_option(options.timerange)
    muxer = muxer_of(options.path, options.format)
    _check_target(options)
    kinds = (options.only,) if options.only else ("audio",) if muxer == "wav" else ("video", "audio")
    retry = context.retrying(LONG)
    with context.client(retry=retry) as client:
        find(client, options.id, ("flow", "source"))
        plan = plan_export(client, options.id, timerange, kinds)
        gaps = [f"{track.kind} has no media in {gap}" for track in plan.tracks for gap in track.gaps]
        if gaps and options.gaps == "fail":
            raise CommandError(f"the flow has gaps: {'; '.join(gaps)}")
        for gap in gaps:
            context.note(f"gap: {gap}")
        if options.copy and muxer != "wav":
            with ObjectReader(client, retry=retry) as reader:
                plan = to_key_frames(client, plan, reader)
        result = _write(options, context, plan, muxer, retry)
    _print(options.path, result, context)
    return FAILED if not (result.frames or result.samples or result.packets) else OK


def _check_target(options: argparse.Namespace) -> None:
    """Raise CommandError for a file that must not be replaced, or that no file can replace."""
    if options.path == "-" or not os.path.exists(options.path):
        return
    if not os.path.isfile(options.path):
        raise CommandError(f"{options.path} is no file that can be replaced; - writes to standard output", WRONG_USE)
    if not options.force:
        raise CommandError(f"{options.path} exists: --force replaces it", WRONG_USE)


def _write(
    options: argparse.Namespace, context: Context, plan: "ExportPlan", muxer: str, retry: RetryPolicy
) -> "ExportResult":
    from tams_server.client_media.export_file import ExportFile
    from tams_server.client_media.export_wav import write_wav
    from tams_server.client_media.flow_reader import ObjectReader

    first, last = plan.timerange.bounds
    with context.progress() as progress, context.client() as client, ObjectReader(client, retry=retry) as reader:
        task = progress.add("exporting", (last - first) / NS, "seconds")

        def done(at: int) -> None:
            if (at - first) / NS > task.done + 0.2:
                task.set((at - first) / NS)

        if muxer == "wav":
            return write_wav(plan, reader, options.path, encoding=options.samples, done=done)
        return ExportFile(plan, reader, copy=options.copy, done=done).write(options.path, muxer)


def _print(path: str, result: "ExportResult", context: Context) -> None:
    first, last = result.timerange.bounds
    for note in result.notes:
        context.note(note)
    if path == "-":
        return
    if context.output.format in ("json", "yaml"):
        context.output.document(
            {
                "file": path,
                "timerange": str(result.timerange),
                "frames": result.frames,
                "encoded": result.encoded,
                "samples": result.samples,
                "bytes": result.size,
                "gaps": result.gaps,
            }
        )
        return
    parts = [duration((last - first) / NS)]
    if result.frames:
        parts.append(f"{counted(result.frames, 'frame')}, {result.encoded:,} of them re-encoded")
    if result.samples:
        parts.append(f"{result.samples:,} samples")
    context.output.line(f"{path}: {', '.join(parts)}, {size(result.size)}; {result.timerange}")
