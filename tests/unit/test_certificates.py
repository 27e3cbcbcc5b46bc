"""What tests leave out because no test needs it."""

import httpx
import pytest


def test_clients_of_tests_read_no_certificates(request: pytest.FixtureRequest) -> None:
    """httpx reads them for every client, and a run of all tests makes thousands."""
    if request.config.getoption("--tams-url"):
        pytest.skip("the server under test may need them")
    assert httpx.create_ssl_context().cert_store_stats()["x509_ca"] == 0
