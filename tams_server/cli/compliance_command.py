"""tams-server compliance: who breaks the schemas, and which stored documents do."""

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from storage.catalog.violations import ViolationFilter
from tams_server.cli.catalog_access import open_catalog
from tams_server.cli.output import print_line
from tams_server.cli.progress import Progress
from tams_server.settings import Loaded

COMPLIANCE = """
Print how many requests broke the published schemas, the most frequent first, by what --by
names. Processes add what they have counted every 10 s; counts are kept for
TAMS_COMPLIANCE_DAYS.

With --scan, print every stored document that breaks today's schemas instead: documents stored
with TAMS_VALIDATION_LEVEL=relaxed, by an earlier release, or under another TAMS_API_DIR. The
catalogue is read in pages; --from continues where an interrupted scan says that it stopped.

The exit status of a scan is 1 if it found any.

Example: tams-server compliance --by client,schema_path --since 2026-11-01
"""
FIELDS = ("day", "outcome", "operation", "schema_path", "client")


def compliance(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print counts, or with --scan the documents at fault. Return 1 if a scan has found any, else 0."""
    if options.scan:
        return _scan(loaded, options)
    filters = ViolationFilter(since=options.since, until=options.until)
    counts = Counter[tuple[str, ...]]()
    with open_catalog(loaded.settings) as catalog:
        for each in catalog.violations.each(filters):
            counts[tuple(each[name] for name in options.by)] += each["requests"]
    for values, requests in counts.most_common():
        named = dict(zip(options.by, values, strict=True))
        if options.json:
            print_line(orjson.dumps({**named, "requests": requests}).decode())
        else:
            print_line(f"{requests:>10}  {'  '.join(value or '(others)' for value in values)}")
    if not counts and not options.json:
        print_line("no request has broken a schema, or none is counted")
    return 0


def _scan(loaded: Loaded, options: argparse.Namespace) -> int:
    from tams_server.app import read_specification
    from tams_server.cli.schema_scan import SchemaScan

    found, progress = 0, Progress()
    with open_catalog(loaded.settings) as catalog:
        scan = SchemaScan(catalog, read_specification(loaded.settings).operations)
        try:
            for finding in scan.run(options.from_):
                found += 1
                progress.clear()
                print_line(_shown(finding, as_json=options.json))
                progress.show("documents checked", scan.checked)
        except KeyboardInterrupt:
            progress.clear()
            print_line(f"stopped; continue with --from {scan.position}", error=True)
            return 1
    progress.clear()
    print_line(f"{scan.checked:,} documents checked, {found:,} break the schemas", error=True)
    return 1 if found else 0


def _shown(finding: dict[str, Any], *, as_json: bool) -> str:
    if as_json:
        return orjson.dumps(finding).decode()
    return f"{finding['kind']} {finding['id']}: {finding['message']} ({finding['schema_path']})"


def parse_fields(text: str) -> list[str]:
    """Return the names in a list separated by commas. Raises argparse.ArgumentTypeError."""
    names = list(_names(text))
    unknown = [name for name in names if name not in FIELDS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r} must be some of {', '.join(FIELDS)}, separated by commas")
    return names


def _names(text: str) -> Iterator[str]:
    yield from dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
