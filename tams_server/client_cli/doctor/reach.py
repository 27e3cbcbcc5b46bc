"""Whether a server is there, which version it has, how fast it responds, and what its clock says."""

import email.utils
from statistics import median

from tams_server.client import Unreachable, calls
from tams_server.client_cli.doctor.finding import Finding, Patient, milliseconds

_REQUESTS = 5
_SLOW_S, _VERY_SLOW_S = 0.2, 1.0
_SKEW_S, _LARGE_SKEW_S = 5.0, 60.0
"""The Date header has whole seconds, so that less than two mean nothing."""


def service(patient: Patient) -> list[Finding]:
    """Whether there is a TAMS 8.x at the URL. A 401 means that something is there."""
    try:
        response, took, _ = patient.request("GET", "/service")
    except Unreachable as error:
        return [
            Finding(
                "fail",
                "reachable",
                f"{patient.server.url} cannot be reached: {error}",
                "start the server, or correct its URL: tams context add",
            )
        ]
    if response.status_code in (401, 403):
        return [Finding("ok", "reachable", f"{patient.server.url} responded in {milliseconds(took)}")]
    try:
        document = response.json()
        version = str(document["api_version"])
    except (ValueError, KeyError, TypeError):
        return [
            Finding(
                "fail",
                "reachable",
                f"{patient.server.url}/service is not of a TAMS server (status {response.status_code})",
                "the base URL may lack a path, such as https://example.org/api",
            )
        ]
    name = " ".join(str(document[each]) for each in ("name", "service_version") if document.get(each))
    found = f"{patient.server.url} responded in {milliseconds(took)}: TAMS {version}{f', {name}' if name else ''}"
    if version.partition(".")[0] != "8":
        return [Finding("fail", "reachable", found, "this command works with TAMS 8.x")]
    return [Finding("ok", "reachable", found)]


def response_time(patient: Patient) -> list[Finding]:
    """The median of a few requests."""
    took = median(patient.request("GET", "/service")[1] for _ in range(_REQUESTS))
    message = f"a response takes {milliseconds(took)} (median of {_REQUESTS})"
    if took < _SLOW_S:
        return [Finding("ok", "time", message)]
    remedy = "the server is far away, or busy" + ("; listings will be slow" if took >= _VERY_SLOW_S else "")
    return [Finding("warn", "time", message, remedy)]


def clock(patient: Patient) -> list[Finding]:
    """The difference of the clocks, by the Date header."""
    response, _, middle = patient.request("GET", "/service")
    text = response.headers.get("date", "")
    try:
        skew = email.utils.parsedate_to_datetime(text).timestamp() + 0.5 - middle
    except ValueError:
        return [Finding("warn", "clock", "the server does not say what time it is (no Date header)")]
    message = f"the clocks of the server and this machine differ by {abs(skew):.0f} s"
    if abs(skew) < _SKEW_S:
        return [Finding("ok", "clock", "the clocks of the server and this machine agree")]
    return [
        Finding(
            "fail" if abs(skew) >= _LARGE_SKEW_S else "warn",
            "clock",
            message,
            "have both set by NTP: tokens and signed URLs expire at the wrong time",
        )
    ]


def events(patient: Patient) -> list[Finding]:
    """Whether the server sends events."""
    document = patient.client.send(calls.service())
    names = [str(each.get("name")) for each in document.get("event_stream_mechanisms") or []]
    if "webhooks" in names:
        return [Finding("ok", "events", "the server sends events to webhooks")]
    return [Finding("warn", "events", "the server does not offer webhooks", "tams watch polls instead")]
