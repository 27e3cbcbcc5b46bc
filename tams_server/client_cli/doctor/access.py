"""Whether the credentials are accepted, and what they permit. Nothing is changed to find out."""

import uuid

from tams_server.client_cli.doctor.finding import Finding, Patient

_NEEDED = {"read": "list and read", "write": "create flows and ingest media", "delete": "delete flows and segments"}


def credentials(patient: Patient) -> list[Finding]:
    """Whether the server accepts the credentials, and lets nobody in without."""
    response, _, _ = patient.request("GET", "/flows?limit=1")
    with_what = patient.server.sign_in
    if response.status_code == 401:
        return [
            Finding(
                "fail",
                "credentials",
                f"the server does not accept the credentials ({with_what})",
                "they may have expired: get new ones, then tams context add",
            )
        ]
    stranger, _, _ = patient.request("GET", "/flows?limit=1", signed_in=False)
    if stranger.status_code == 200:
        return [
            Finding(
                "warn",
                "credentials",
                "the server lets everyone read, without credentials",
                "unless that is meant, have the server ask for them",
            )
        ]
    return [Finding("ok", "credentials", f"accepted ({with_what}); without any, the server refuses")]


def rights(patient: Patient) -> list[Finding]:
    """Which rights the credentials give, by requests for a flow that cannot exist."""
    nowhere = f"/flows/{uuid.uuid4()}"
    probes = {"read": ("GET", "/flows?limit=1"), "write": ("DELETE", f"{nowhere}/label"), "delete": ("DELETE", nowhere)}
    refused = {
        name for name, (method, url) in probes.items() if patient.request(method, url)[0].status_code in (401, 403)
    }
    given = [name for name in probes if name not in refused]
    if "read" in refused:
        return [Finding("fail", "rights", "the credentials do not permit to read", "get credentials that do")]
    if refused:
        lost = "; ".join(f"cannot {_NEEDED[name]}" for name in probes if name in refused)
        return [Finding("warn", "rights", f"the credentials permit to {', '.join(given)}", f"you {lost}")]
    return [Finding("ok", "rights", f"the credentials permit to {', '.join(given)}")]
