"""tams-server keys: the keys that sign the presigned URLs of file stores, and those that sign tokens."""

import argparse
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from storage.catalog.token_keys import TokenKey
from storage.media.url_keys import UrlKey
from tams_server.cli.audited_changes import audited
from tams_server.cli.catalog_access import open_engine, require_catalog
from tams_server.cli.output import print_line
from tams_server.settings import Loaded

ROTATE = """
Add a key that signs the presigned URLs of file stores (/media/...). Every running server
signs with it within some seconds, without a restart. The former key stays valid until the
last URL that it signed has expired: the longest lifetime of URLs in the settings counts,
so run this with the settings of the servers.

--revoke makes the former keys invalid at once, and with them every URL handed out so far.
Use it if a key may have leaked. Clients get new URLs from the API. For ten seconds at most,
servers may still accept former URLs, and reject some of the new ones.

--tokens rotates the key that signs the tokens of POST /oauth2/token instead. The former one
stays valid until the last token that it signed has expired (TAMS_TOKEN_LIFETIME).

URLs of S3 buckets are signed with the credentials of the bucket. Keys of pages (the query
parameter "page") are not affected.
"""


def list_keys(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print the keys that are accepted, newest last."""
    from storage.catalog.service import load_identity
    from storage.catalog.token_keys import TokenKeys

    require_catalog(loaded.settings)
    with open_engine(loaded.settings) as engine:
        _print(TokenKeys(engine).read() if options.tokens else load_identity(engine).url_keys)
    return 0


def rotate(loaded: Loaded, options: argparse.Namespace) -> int:
    """Add a key, and print all that are accepted."""
    from storage.catalog.token_keys import TokenKeys
    from storage.catalog.url_keys import rotate_keys
    from tams_server.auth.own_tokens import generate_key
    from tams_server.wiring import longest_url_lifetime

    settings = loaded.settings
    require_catalog(settings)
    kind = "key of tokens" if options.tokens else "key of media URLs"
    what = {"action": "revoke" if options.revoke else "rotate", "kind": kind}
    keys: Sequence[UrlKey] | Sequence[TokenKey]
    with open_engine(settings) as engine, audited(settings, what) as change:
        if options.tokens:
            keys = TokenKeys(engine).rotate(generate_key, settings.token_lifetime, revoke=options.revoke)
        else:
            keys = rotate_keys(engine, longest_url_lifetime(settings), revoke=options.revoke)
        change["after"] = [key.id for key in keys]
    _print(keys)
    return 0


def _print(keys: Sequence[UrlKey] | Sequence[TokenKey]) -> None:
    now = time.time()
    for key in keys:
        if key.valid_until is None:
            print_line(f"{key.id}  signs{'' if key.signs_from <= now else f' from {_moment(key.signs_from)}'}")
        elif key.valid_until > now:
            print_line(f"{key.id}  accepted until {_moment(key.valid_until)}")


def _moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
