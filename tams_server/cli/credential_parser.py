"""The options of tams-server token, user and client, which have one shape."""

import argparse
from typing import Final, TypeAlias

from storage.catalog.caller import SCOPES
from storage.catalog.credential import NOUNS, CredentialKind
from storage.catalog.passwords import MIN_PASSWORD
from tams_server.cli import credential_commands
from tams_server.cli.times import duration, moment

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_WHAT: Final[dict[CredentialKind, str]] = {
    "bearer": """
A token is sent with each request, as "Authorization: Bearer TOKEN". Use it for programs
that can keep one secret, such as a recorder.
""",
    "basic": f"""
A user logs in with name and password, as "Authorization: Basic ...". The password is random
unless --password-stdin is given; one of your own needs at least {MIN_PASSWORD} characters, and must not
be easily guessed.
""",
    "client": """
A client fetches short-lived tokens at POST /oauth2/token, by its id (the name given here) and
its secret. Use it for the BBC's scripts, MediaConvert and other programs that speak OAuth 2.0
(client credentials).
""",
}
_CREATE: Final = """
Scopes say what the credential permits in general: read, write, delete, admin. Without
--scopes it may only read. Webhooks need read and write. Groups matter where the
classes of resources (auth_classes) are enforced.

The secret is printed once, to standard output; only a hash of it is stored. Examples:

    tams-server {noun} create --name recorder-1 --scopes "read write"
    tams-server {noun} create --name guest --expires 90d --group news_read
"""
_ROTATE: Final = """
Print a new secret. The present one stops working within five seconds, or with --grace only
after that time, so that both work while the new one is put in place:

    tams-server {noun} rotate recorder-1 --grace 24h
"""
_REVOKE: Final = """
End a credential for good. Every server rejects it within five seconds. Presigned URLs that were
handed out stay valid until they expire: 'tams-server keys rotate --revoke' ends those.
"""
_LIST: Final = """
List them with scopes, groups and state: active, expired, or with --all also revoked.
Secrets are not stored and cannot be listed.
"""


def add_credential_commands(commands: _Commands, data: argparse.ArgumentParser) -> None:
    """data: with the options that all of them have."""
    output = argparse.ArgumentParser(add_help=False)
    output.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of what is printed")
    for kind, noun in NOUNS.items():
        help_ = f"manage {noun}s: create, list, rotate, revoke"
        described = commands.add_parser(noun, help=help_, description=_WHAT[kind], formatter_class=_Raw)
        actions = described.add_subparsers(required=True, metavar="COMMAND")
        _add_create(actions, kind, noun, data, output)
        _add_rotate(actions, kind, noun, data, output)
        revoke = _add(actions, "revoke", f"end a {noun} for good", _REVOKE, data, output)
        revoke.add_argument("name", metavar="NAME", help=f"name of the {noun}")
        revoke.set_defaults(command=credential_commands.revoke, kind=kind)
        list_ = _add(actions, "list", f"list the {noun}s, without secrets", _LIST, data, output)
        list_.add_argument("--all", action="store_true", help="with those that were revoked")
        list_.set_defaults(command=credential_commands.list_credentials, kind=kind)


def _add_create(actions: _Commands, kind: CredentialKind, noun: str, *parents: argparse.ArgumentParser) -> None:
    text = _WHAT[kind] + _CREATE
    create = _add(actions, "create", f"create a {noun} and print its secret", text, *parents, noun=noun)
    create.add_argument("--name", required=True, help="unique name, and created_by of whatever it creates")
    create.add_argument("--scopes", default="read", help=f"any of {', '.join(SCOPES)} (default: read)")
    create.add_argument("--group", action="append", default=[], help="group that it belongs to; repeatable")
    create.add_argument(
        "--expires", type=moment, metavar="WHEN", help="90d, 12h, 2030-01-31 or 2030-01-31T18:00Z (default: never)"
    )
    _add_password(create, kind)
    create.set_defaults(command=credential_commands.create, kind=kind)


def _add_rotate(actions: _Commands, kind: CredentialKind, noun: str, *parents: argparse.ArgumentParser) -> None:
    rotate = _add(actions, "rotate", f"give a {noun} another secret and print it", _ROTATE, *parents, noun=noun)
    rotate.add_argument("name", metavar="NAME", help=f"name of the {noun}")
    rotate.add_argument(
        "--grace",
        type=duration,
        default=0,
        metavar="TIME",
        help="how long the present one still works (default: 0)",
    )
    _add_password(rotate, kind)
    rotate.set_defaults(command=credential_commands.rotate, kind=kind)


def _add_password(parser: argparse.ArgumentParser, kind: CredentialKind) -> None:
    if kind == "basic":
        parser.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input (default: random)"
        )


_Raw = argparse.RawDescriptionHelpFormatter


def _add(
    actions: _Commands, action: str, help_: str, text: str, *parents: argparse.ArgumentParser, noun: str = ""
) -> argparse.ArgumentParser:
    description = text.format(noun=noun) if noun else text
    return actions.add_parser(action, help=help_, description=description, formatter_class=_Raw, parents=parents)
