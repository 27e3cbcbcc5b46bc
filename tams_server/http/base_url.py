"""The public origin and base path of this server, which begin every link and signed URL."""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

from starlette.types import Scope

from tams_server.addresses import with_port
from tams_server.http.forwarded import DEFAULT_PORTS, FORWARDED, HEADERS, read_forwarded
from tams_server.http.request_target import is_host
from tams_server.settings import Settings

_FORWARDED_NAMES = {name.encode(): name for name in (*HEADERS, FORWARDED)}
_PORT_AT_END = re.compile(r":[0-9]*\Z")


class BaseUrl:
    """Finds the base URL of requests: TAMS_PUBLIC_URL, else from headers of trusted proxies, else from Host."""

    def __init__(self, settings: Settings) -> None:
        self._public_url = settings.public_url.rstrip("/") if settings.public_url else None
        self._base_path = urlsplit(self._public_url).path if self._public_url else ""
        self._trust_proxy = settings.trust_proxy

    def strip_base_path(self, scope: Scope) -> str:
        """Return the percent-encoded path below the base path, which becomes the root path of the scope."""
        raw: bytes | None = scope.get("raw_path")
        raw_path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"])
        root_path = scope.get("root_path", "")
        if not (root_path or self._base_path):
            return raw_path
        for prefix in (quote(root_path), self._base_path):
            if prefix and (raw_path == prefix or raw_path.startswith(prefix + "/")):
                scope["root_path"] = unquote(prefix)
                return raw_path[len(prefix) :] or "/"
        return raw_path

    def of(self, scope: Scope, headers: Mapping[bytes, bytes], root_path: str) -> str:
        """Return the base URL, without a slash at its end.

        headers: the first value of each header, by lower-case name. root_path: of the scope as the server set it.
        """
        if self._public_url is not None:
            return self._public_url
        scheme, sent_host = scope.get("scheme", "http"), headers.get(b"host")
        if sent_host is not None and is_host(sent_host):
            host = sent_host.decode("latin-1")
        else:
            host = with_port(*(scope.get("server") or ("localhost", None)))
        prefix = quote(root_path)
        if self._trust_proxy:
            sent: dict[str, str] = {}
            for name, value in scope["headers"]:
                if name in _FORWARDED_NAMES:
                    sent.setdefault(_FORWARDED_NAMES[name], value.decode("latin-1"))
            public = read_forwarded(sent)
            scheme = public.scheme or scheme
            prefix = prefix if public.prefix is None else public.prefix
            host = public.host or host
            if public.port is not None:
                host = _PORT_AT_END.sub("", host)
                host = host if public.port == DEFAULT_PORTS[scheme] else f"{host}:{public.port}"
        return f"{scheme}://{host.rstrip(':')}{prefix.rstrip('/')}"
