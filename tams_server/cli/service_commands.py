"""tams-server serve, worker and config."""

import argparse
import logging
import os
import sys
from pathlib import Path

from tams_server.addresses import bind, local_url
from tams_server.cli.output import print_line, print_lines
from tams_server.metrics.shared_counters import share_counters
from tams_server.settings import Loaded, shown_settings

_log = logging.getLogger(__name__)


def serve(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Serve the API until a signal stops the server. The first start prints a token."""
    from tams_server.auth.issuers_file import check_issuers
    from tams_server.processes.certificate import read_certificate
    from tams_server.processes.exposure import check_exposure
    from tams_server.settings.yaml_files import keep_files
    from tams_server.wiring import prepare

    settings = loaded.settings
    keep_files()
    # First of all, so that nothing is created and no token is shown if the address cannot be used.
    bound = bind(settings.host, settings.port)
    if settings.metrics_address is not None:
        bind(*settings.metrics_address).close()
    check_exposure(settings, bound)
    certificate = read_certificate(settings)
    check_issuers(settings)
    identity, token = prepare(settings)
    _log.info("installation %s", identity.installation)
    if token is not None:
        _print_first_token(
            token, settings.public_url or local_url(settings.host, bound.getsockname()[1], tls=certificate is not None)
        )
    with share_counters():
        from tams_server.processes.gunicorn_server import serve as serve_api

        serve_api(settings, identity, bound, certificate)
    return 0


def _print_first_token(token: str, url: str) -> None:
    program = os.path.relpath(Path(sys.executable).with_name("tams-server"))
    print_lines(
        "\nThis is the first start. Here is a token with full access; it is shown only once, and only its hash is"
        " stored:\n\n"
        f"    {token}\n\n"
        f'Try it:          curl -H "Authorization: Bearer {token}" {url.rstrip("/")}/service\n'
        f"Look around:     {url.rstrip('/')}/console, signed in with the token\n"
        f'Create another:  {program} token create --name NAME --scopes "read write"\n'
        "                 (with the same TAMS_* variables)\n"
    )


def worker(loaded: Loaded, options: argparse.Namespace) -> int:
    """Run background jobs until a signal stops the process."""
    from tams_server.app import read_specification
    from tams_server.processes.worker import run_worker
    from tams_server.wiring import prepare_tables

    port = options.metrics_port
    metrics_at = None if port is None else (loaded.settings.host, port)
    if metrics_at is not None:
        bind(*metrics_at).close()  # report now that it cannot be used
    prepare_tables(loaded.settings)
    _log.info("running background jobs")
    run_worker(loaded.settings, read_specification(loaded.settings), metrics_at=metrics_at)
    return 0


def config(loaded: Loaded, _options: argparse.Namespace) -> int:
    """Print each setting with its value and source."""
    for variable, value, origin in shown_settings(loaded):
        print_line(f"{f'{variable}={value}':50} # {origin}")
    return 0
