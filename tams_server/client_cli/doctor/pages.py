"""Whether links from page to page lead to this server, and whether browsers may use it (CORS)."""

from tams_server.client.exchange import origin
from tams_server.client_cli.doctor.finding import Finding, Patient

ORIGIN = "https://tams-doctor.example"
_EXPOSED = ("link", "x-paging-nextkey")


def links(patient: Patient) -> list[Finding]:
    """The link to a second page of flows."""
    response, _, _ = patient.request("GET", "/flows?limit=1")
    link = response.links.get("next", {}).get("url")
    if link is None:
        return [Finding("ok", "pages", "there are too few flows for a second page")]
    url, base = response.url.join(link), patient.http.base_url
    if origin(url) != origin(base):
        return [
            Finding(
                "warn",
                "pages",
                f"links to the next page lead to {url.scheme}://{url.netloc.decode()}, not to {patient.server.url}",
                "tell the server its public URL (TAMS_PUBLIC_URL of tams-server); tams goes by page keys meanwhile",
            )
        ]
    following, _, _ = patient.request("GET", str(url))
    if following.status_code != 200:
        return [
            Finding(
                "fail",
                "pages",
                f"the link to the second page returns {following.status_code}",
                "a proxy may change the path or the query: listings end after a page",
            )
        ]
    return [Finding("ok", "pages", "links to the next page work")]


def cross_origin(patient: Patient) -> list[Finding]:
    """What a browser asks before a page of another site may use the API."""
    preflight, _, _ = patient.request(
        "OPTIONS",
        "/flows",
        signed_in=False,
        Origin=ORIGIN,
        Access_Control_Request_Method="GET",
        Access_Control_Request_Headers="authorization",
    )
    response, _, _ = patient.request("GET", "/flows?limit=1", Origin=ORIGIN)
    missing = []
    if preflight.status_code not in (200, 204):
        missing.append(f"OPTIONS returns {preflight.status_code}")
    elif not allows(preflight.headers.get("access-control-allow-origin")):
        missing.append("OPTIONS does not allow other origins")
    elif "authorization" not in _names(preflight.headers.get("access-control-allow-headers", "")):
        missing.append("the header Authorization is not allowed")
    if not allows(response.headers.get("access-control-allow-origin")):
        missing.append("responses do not allow other origins")
    elif hidden := set(_EXPOSED) - _names(response.headers.get("access-control-expose-headers", "")):
        missing.append(f"responses hide {', '.join(sorted(hidden))}")
    if missing:
        return [
            Finding(
                "warn",
                "browsers",
                f"pages of other sites cannot use the API: {'; '.join(missing)}",
                "only matters for players and consoles in browsers: allow their origins (CORS)",
            )
        ]
    return [Finding("ok", "browsers", "pages of other sites may use the API (CORS)")]


def allows(value: str | None) -> bool:
    """Whether Access-Control-Allow-Origin allows our made-up origin."""
    return value in ("*", ORIGIN)


def _names(text: str) -> set[str]:
    return {name.strip().lower() for name in text.split(",")}
