"""All checks in their order. Those that need what an earlier one found missing are left out."""

from collections.abc import Iterator

from tams_server.client import ClientError
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.doctor import access, media, pages, reach, writing
from tams_server.client_cli.doctor.finding import Check, Finding, Patient


def examine(server: Server, *, write: bool) -> Iterator[Finding]:
    """The findings, as they are made. Raises ClientError for a URL that is not of HTTP."""
    patient = Patient.of(server)
    with patient.client, patient.http:
        for checks in _stages(write=write):
            failed = False
            for name, check in checks:
                for finding in _findings(patient, name, check):
                    failed = failed or finding.state == "fail"
                    yield finding
            if failed:
                return  # the others would fail for the same reason


def _stages(*, write: bool) -> tuple[tuple[tuple[str, Check], ...], ...]:
    """Checks by name. Stages after one that failed make no sense."""
    return (
        (("reachable", reach.service),),
        (("credentials", access.credentials),),
        (
            ("rights", access.rights),
            ("time", reach.response_time),
            ("clock", reach.clock),
            ("pages", pages.links),
            ("browsers", pages.cross_origin),
            ("storage", media.backends),
            ("events", reach.events),
            ("media", media.segment_urls),
            *((("writing", writing.round_trips),) if write else ()),
        ),
    )


def _findings(patient: Patient, name: str, check: Check) -> list[Finding]:
    try:
        return check(patient)
    except ClientError as error:
        return [Finding("fail", name, str(error))]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [Finding("fail", name, f"the response is not that of a TAMS server: {error!r}")]
