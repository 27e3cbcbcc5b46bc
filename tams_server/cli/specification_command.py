"""tams-server spec diff."""

import argparse

from tams_server.cli.output import print_line
from tams_server.settings import Loaded


def diff(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print the structural differences between two copies of the specification; exit status 1 if there are any."""
    from tams_server.app import api_folder
    from tams_server.specification.diff import compare

    comparison = compare(api_folder(loaded.settings), options.directory)
    for difference in comparison.differences:
        print_line(str(difference))
    print_line(
        f"{comparison.operations} operations, {comparison.webhooks} webhooks, {comparison.schemas} schemas:"
        f" {len(comparison.differences)} differences"
    )
    return 1 if comparison.differences else 0
