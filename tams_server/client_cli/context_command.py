"""tams context: the servers that the user works with."""

import argparse
import getpass
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tams_server.client.errors import shown_url
from tams_server.client_cli import contexts_file
from tams_server.client_cli.context import Context
from tams_server.client_cli.contexts_file import Server
from tams_server.client_cli.errors import NOT_FOUND, OK, WRONG_USE, CommandError
from tams_server.client_cli.parsers import Subparsers, add_command
from tams_server.client_cli.tables import Column

CONTEXT = """
Set up the servers that you work with. A context is a name for the URL of a TAMS API and the
credentials for it. Other commands use the context in use, unless --context names another.

  tams context add local http://localhost:4010 --token
      asks for the token, and uses this context from now on
  tams context add studio https://tams.example/api --user anna
      asks for the password
  tams context add cloud https://tams.example --client-id ID --token-url https://id.example/token
      OAuth 2 client credentials; asks for the secret
  tams context use studio
  tams context list

Secrets are read from the terminal, or from standard input if that is not one:

  tams context add local http://localhost:4010 --token < token.txt

They are kept in ~/.config/tams/contexts.json ($XDG_CONFIG_HOME), which only you can read.
Without a context, set TAMS_URL and TAMS_TOKEN; they also take precedence over the context in
use, but not over --context.
"""
ADD = """
Add a server, or replace the one with this name, and use it from now on. Without credentials,
the server is used without signing in.

  tams context add local http://localhost:4010 --token
  tams context add studio https://tams.example/api --user anna --keep
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command and its actions."""
    parser = add_command(subparsers, "context", list_contexts, "set up the servers to work with", CONTEXT)
    actions = parser.add_subparsers(metavar="ACTION")
    add = add_command(actions, "add", add_context, "add or replace a server", ADD)
    add.add_argument("name", metavar="NAME", help="a name of your choice")
    add.add_argument("url", metavar="URL", help="base URL of its TAMS API")
    how = add.add_mutually_exclusive_group()
    how.add_argument("--token", action="store_true", help="sign in with a bearer token, which is asked for")
    how.add_argument("--user", metavar="NAME", help="sign in with a name and a password, which is asked for")
    how.add_argument("--client-id", metavar="ID", help="sign in with client credentials; the secret is asked for")
    add.add_argument("--token-url", metavar="URL", help="with --client-id: where the issuer gives tokens")
    add.add_argument("--scope", default="", metavar="TEXT", help="with --client-id: the scopes to ask for")
    add.add_argument("--keep", action="store_true", help="keep using the context that is in use")
    add.set_defaults(wrong_use=add.error)
    use = add_command(actions, "use", use_context, "use a context from now on", "Use a context from now on.")
    use.add_argument("name", metavar="NAME", help="as listed by 'tams context list'")
    add_command(actions, "list", list_contexts, "list the contexts", "List the contexts; * marks the one in use.")
    remove = add_command(actions, "remove", remove_context, "remove a context", "Remove a context and its secrets.")
    remove.add_argument("name", metavar="NAME", help="as listed by 'tams context list'")


def add_context(options: argparse.Namespace, context: Context) -> int:
    """Add or replace a context."""
    _check_url(options, "URL", options.url)
    if options.client_id:
        if not options.token_url:
            options.wrong_use("--client-id needs --token-url")
        _check_url(options, "--token-url", options.token_url)
    elif options.token_url or options.scope:
        options.wrong_use("--token-url and --scope need --client-id")
    url = options.url.rstrip("/")
    if options.token:
        server = Server(url, token=_secret("Token: "))
    elif options.user:
        server = Server(url, user=options.user, password=_secret(f"Password of {options.user}: "))
    elif options.client_id:
        secret = _secret(f"Secret of {options.client_id}: ")
        server = Server(
            url, client_id=options.client_id, client_secret=secret, token_url=options.token_url, scope=options.scope
        )
    else:
        server = Server(url)
    contexts = contexts_file.read(context.path)
    contexts.servers[options.name] = server
    if not (options.keep and contexts.used):
        contexts.used = options.name
    contexts_file.write(context.path, contexts)
    context.note(f"{options.name} is {url}, signing in with {server.sign_in}; in use: {contexts.used}")
    return OK


def use_context(options: argparse.Namespace, context: Context) -> int:
    """Use another context from now on."""
    contexts = _with(context.path, options.name)
    contexts.used = options.name
    contexts_file.write(context.path, contexts)
    context.note(f"in use: {options.name}, {contexts.servers[options.name].url}")
    return OK


def list_contexts(_options: argparse.Namespace, context: Context) -> int:
    """List the contexts, without their secrets."""
    contexts = contexts_file.read(context.path)
    if not contexts.servers:
        context.note("there are no contexts: tams context add NAME URL --token")
    items = [
        {"name": name, "url": server.url, "sign_in": server.sign_in, "used": name == contexts.used}
        for name, server in contexts.servers.items()
    ]
    columns = [
        Column("", lambda item: "*" if item["used"] else ""),
        Column("NAME", lambda item: item["name"]),
        Column("URL", lambda item: item["url"]),
        Column("SIGNS IN WITH", lambda item: item["sign_in"], short=True),
    ]
    context.output.listing(items, columns, lambda item: str(item["name"]))
    return OK


def remove_context(options: argparse.Namespace, context: Context) -> int:
    """Remove a context."""
    contexts = _with(context.path, options.name)
    del contexts.servers[options.name]
    if contexts.used == options.name:
        contexts.used = ""
        context.note(f"{options.name} was in use: choose another with 'tams context use NAME'")
    contexts_file.write(context.path, contexts)
    return OK


def _with(path: Path, name: str) -> contexts_file.Contexts:
    contexts = contexts_file.read(path)
    if name not in contexts.servers:
        known = ", ".join(contexts.servers) or "none"
        raise CommandError(f"there is no context {name!r}; known: {known}", NOT_FOUND)
    return contexts


def _secret(prompt: str) -> str:
    """Ask for a secret on the terminal, or read the first line of standard input."""
    text = getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()
    if not text.strip():
        raise CommandError(f"{prompt.rstrip(': ').lower()}: nothing was given", WRONG_USE)
    return text.strip()


def _check_url(options: argparse.Namespace, name: str, url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        options.wrong_use(f"{name} must be a URL with http:// or https://, not {shown_url(url)!r}")
    if "@" in parts.netloc:
        options.wrong_use(f"{name} must not contain a user or a password: use --user")
