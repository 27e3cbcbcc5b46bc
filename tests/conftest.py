"""Options and markers for all folders of tests: the server under test, and the behaviours that tests prove."""

import os
from pathlib import Path

import pytest

from tests.servers.features import VARIABLE
from tests.servers.plugin import StoresPlugin, add_options


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tams", "the TAMS server under test")
    group.addoption("--tams-url", help="base URL of the server to test; default: start the project's own")
    group.addoption("--tams-token", help="bearer token for that server")
    group.addoption("--tams-user", help="user name for basic authentication, instead of a token")
    group.addoption("--tams-password", default="", help="password for basic authentication")
    group.addoption(
        "--api-version",
        choices=("8.0", "8.1", "8.2"),
        default="8.2",
        help="skip behaviours introduced by later versions",
    )
    group.addoption(
        "--webhook-receiver",
        metavar="HOST",
        help="host or address at which that server can reach this machine; default for the project's own: 127.0.0.1",
    )
    group.addoption(
        "--webhook-patience", type=float, default=15, metavar="SECONDS", help="how long to wait for an event"
    )
    group.addoption("--report", type=Path, help="folder to write report.json and index.html to")
    add_options(group)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "behaviour(*ids): the behaviours (docs/behaviours.md) that a test proves")
    if not config.getoption("--tams-url"):
        _trust_no_authority()
    stores = config.getoption("--store"), config.getoption("--media")
    if stores != ("sqlite", "files") and not hasattr(config, "workerinput"):
        if config.getoption("--tams-url"):
            raise pytest.UsageError(
                "--store and --media apply to the project's own server and cannot be combined with --tams-url"
            )
        config.pluginmanager.register(StoresPlugin(*stores))
    os.environ[VARIABLE] = config.getoption("--features")  # own servers read it wherever they are started
    folder = config.getoption("--report")
    if folder is not None:
        from tests.conformance.kit.report.plugin import ExchangeLogPlugin, ReportPlugin

        config.pluginmanager.register(ExchangeLogPlugin())
        own = f"this project's own server, with {stores[0]} and {stores[1]}, features: {config.getoption('--features')}"
        subject = config.getoption("--tams-url") or own
        if not hasattr(config, "workerinput"):
            config.pluginmanager.register(ReportPlugin(folder, subject, config.getoption("--api-version")))


def _trust_no_authority() -> None:
    """Keep clients from reading the certificates of all authorities, which takes each of them 40 ms of processor time.

    Neither these tests nor the servers that they start need one: tests of TLS name the certificate that they trust.
    """
    os.environ.pop("SSL_CERT_FILE", None)
    os.environ["SSL_CERT_DIR"] = os.devnull
