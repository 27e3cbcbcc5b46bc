"""tams-server token, user and client: create, list, rotate and revoke credentials.

A secret is printed once, to standard output and nowhere else; everything for people goes to standard error.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import orjson

from storage.catalog.caller import SCOPES
from storage.catalog.credential import NOUNS, CredentialKind
from storage.catalog.credential_register import CredentialRegister, NewCredential
from tams_server.cli.audited_changes import audited
from tams_server.cli.catalog_access import open_catalog, open_or_create_catalog
from tams_server.cli.output import print_line, print_lines
from tams_server.settings import Loaded

_SECRETS: dict[CredentialKind, str] = {"bearer": "token", "basic": "password", "client": "client_secret"}


def create(loaded: Loaded, options: argparse.Namespace) -> int:
    """Create a credential and print its secret."""
    kind: CredentialKind = options.kind
    password = _read_password(options)
    with (
        open_or_create_catalog(loaded.settings) as catalog,
        _audited(loaded, options, "create") as change,
    ):
        made = catalog.credential_register.create(
            kind,
            options.name,
            options.scopes.replace(",", " ").split(),
            groups=options.group,
            expires=options.expires,
            password=password,
        )
        change["after"] = [made.credential.described()]
    _print_secret(made, options, chosen=password is not None)
    return 0


def rotate(loaded: Loaded, options: argparse.Namespace) -> int:
    """Give a credential another secret and print it."""
    password = _read_password(options)
    with open_catalog(loaded.settings) as catalog, _audited(loaded, options, "rotate") as change:
        change["before"] = _named(catalog.credential_register, options)
        made = catalog.credential_register.rotate(options.kind, options.name, grace_s=options.grace, password=password)
        change["after"] = _named(catalog.credential_register, options)
    _print_secret(made, options, chosen=password is not None)
    return 0


def revoke(loaded: Loaded, options: argparse.Namespace) -> int:
    """Revoke a credential."""
    with open_catalog(loaded.settings) as catalog, _audited(loaded, options, "revoke") as change:
        before = catalog.credential_register.revoke(options.kind, options.name)
        change["before"] = [each.described() for each in before]
        change["after"] = after = _named(catalog.credential_register, options)
    if options.output == "json":
        print_lines(_json(after))
    print_line(f"revoked {NOUNS[options.kind]} {options.name}; servers reject it within five seconds", error=True)
    if any(each.from_settings for each in before):
        print_line("it stands in the settings, too: remove it there, or the next start restores it", error=True)
    return 0


def list_credentials(loaded: Loaded, options: argparse.Namespace) -> int:
    """Print the credentials of a kind, without secrets."""
    with open_catalog(loaded.settings) as catalog:
        documents = [each.described() for each in catalog.credential_register.all(options.kind)]
    if not options.all:
        documents = [each for each in documents if each["state"] != "revoked"]
    if options.output == "json":
        print_lines(_json(documents))
    elif documents:
        _print_table(documents)
    else:
        print_line(f"there are no {NOUNS[options.kind]}s", error=True)
    return 0


def _named(register: CredentialRegister, options: argparse.Namespace) -> list[dict[str, Any]]:
    return [each.described() for each in register.all(options.kind) if each.name == options.name]


def _print_secret(made: NewCredential, options: argparse.Namespace, *, chosen: bool) -> None:
    """chosen: whether it was given, so that there is nothing to tell."""
    kind, name = made.credential.kind, made.credential.name
    if options.output == "json":
        secret = {} if chosen else {_SECRETS[kind]: made.secret}
        print_lines(_json(made.credential.described() | secret))
        return
    scopes = " ".join(scope for scope in SCOPES if scope in made.credential.scopes)
    print_line(f"{NOUNS[kind]} {name}, scopes: {scopes}; only a hash of its secret is stored", error=True)
    if not chosen:
        print_line(made.secret)


def _print_table(documents: Sequence[dict[str, Any]]) -> None:
    columns = ("name", "state", "scopes", "groups", "created", "expires")
    rows = [[column.upper() for column in columns]]
    for each in documents:
        cells = (each[column] for column in columns)
        rows.append([(" ".join(cell) if isinstance(cell, list) else cell) or "-" for cell in cells])
    widths = [max(len(row[number]) for row in rows) for number in range(len(columns))]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _read_password(options: argparse.Namespace) -> str | None:
    """Return the password that someone has chosen, from standard input; None to make a random one."""
    if not getattr(options, "password_stdin", False):
        return None
    return sys.stdin.readline().rstrip("\r\n")


def _audited(loaded: Loaded, options: argparse.Namespace, action: str) -> AbstractContextManager[dict[str, Any]]:
    return audited(loaded.settings, {"action": action, "kind": NOUNS[options.kind], "name": options.name})
