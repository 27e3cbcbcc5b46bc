"""What tams_server.outbound.transport relies on in httpx and httpcore (tested with httpx 0.28, httpcore 1.0)."""

import inspect
from importlib.metadata import version

import httpcore
import httpx
import pytest
from httpcore import _async, _sync

from tams_server.outbound.transport import closed_without_response

BASES = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


@pytest.mark.parametrize(("library", "prefix"), [("httpx", "0.28."), ("httpcore", "1.")])
def test_versions_are_those_the_contract_was_written_for(library: str, prefix: str) -> None:
    assert version(library).startswith(prefix)


def test_exceptions_of_httpcore_have_namesakes_in_httpx() -> None:
    public = [getattr(httpcore, name) for name in httpcore.__all__]
    errors = [each for each in public if inspect.isclass(each) and issubclass(each, BASES)]
    assert len(errors) >= 10
    for error in errors:
        assert issubclass(getattr(httpx, error.__name__), httpx.TransportError), error.__name__


@pytest.mark.parametrize("module", [_sync.http11, _async.http11])
def test_message_shows_that_the_server_closed_without_a_response(module: object) -> None:
    message = "Server disconnected without sending a response."
    assert message in inspect.getsource(module)  # type: ignore[arg-type]
    assert closed_without_response(httpx.RemoteProtocolError(message))
    assert not closed_without_response(httpx.RemoteProtocolError("illegal status line"))
