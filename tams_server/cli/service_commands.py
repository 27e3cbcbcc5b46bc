"""tams-server serve, worker and config."""

import argparse
import logging
import os
import sys
from pathlib import Path

from tams_server.addresses import bind, local_url
from tams_server.metrics.shared_counters import share_counters
from tams_server.settings import Loaded, shown_settings

_log = logging.getLogger(__name__)


def serve(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Serve the API until a signal stops the server. The first start prints a token."""
    from tams_server.wiring import prepare

    settings = loaded.settings
    # First of all, so that nothing is created and no token is shown if the address cannot be used.
    bound = bind(settings.host, settings.port)
    identity, token = prepare(settings)
    if token is not None:
        _print_first_token(token, settings.public_url or local_url(settings.host, bound.getsockname()[1]))
    with share_counters():
        from tams_server.processes.gunicorn_server import serve as serve_api

        serve_api(settings, identity, bound)
    return 0


def _print_first_token(token: str, url: str) -> None:
    program = os.path.relpath(Path(sys.executable).with_name("tams-server"))
    print(
        "\nThis is the first start. Here is a token with full access; it is shown only once, and only its hash is"
        " stored:\n\n"
        f"    {token}\n\n"
        f'Try it:          curl -H "Authorization: Bearer {token}" {url.rstrip("/")}/service\n'
        f"Create another:  {program} token create --name NAME   (with the same TAMS_* variables)\n",
        flush=True,
    )


def worker(loaded: Loaded, options: argparse.Namespace) -> int:
    """Run background jobs until a signal stops the process."""
    from tams_server.app import read_specification
    from tams_server.processes.worker import run_worker
    from tams_server.wiring import prepare_tables

    if options.metrics_port is not None:
        bind(loaded.settings.host, options.metrics_port).close()  # report now that it cannot be used
    prepare_tables(loaded.settings)
    _log.info("running background jobs")
    run_worker(loaded.settings, read_specification(loaded.settings), port=options.metrics_port)
    return 0


def config(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Print each setting with its value and source."""
    for variable, value, origin in shown_settings(loaded):
        print(f"{variable}={value}".ljust(50), f"# {origin}")
    return 0
