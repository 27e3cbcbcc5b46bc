"""The resources of one serving process: the catalogue, the stores, the authenticator and the handler threads.

Apart from the application, which is built before gunicorn forks: connections and threads must not cross a fork.
"""

import asyncio
import contextvars
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final, ParamSpec, TypeVar

from starlette.types import Scope

from storage.catalog.caller import Caller
from storage.error_codes.thumbnails import THUMBNAIL_BUSY
from storage.errors import Unavailable
from storage.waiting import LongAnswer, WouldWait, WouldWaitForOthers, answer_at_once, not_for_others
from tams_server.auth.anonymous import anonymous_caller
from tams_server.auth.authenticator import Authenticator
from tams_server.auth.issuers_file import read_issuers
from tams_server.auth.login_backoff import LoginBackOff
from tams_server.auth.machine_turns import MachineTurns
from tams_server.auth.own_tokens import OwnTokens
from tams_server.auth.presented_credential import PresentedCredential
from tams_server.auth.token_verifier import TokenVerifier
from tams_server.errors import TooManyRequests, Unauthorized
from tams_server.http.authentication import MissingCredential, read_credential
from tams_server.http.bounded_threads import BoundedThreads
from tams_server.http.client_address import client_address
from tams_server.http.exchange import Exchange, exchange_of
from tams_server.http.request_audit import RequestAudit, failed_login
from tams_server.http.violation_log import ViolationLog
from tams_server.quotas.principal_quotas import PrincipalQuotas
from tams_server.quotas.quota_rules import read_quota_rules
from tams_server.quotas.request_limits import RequestLimits
from tams_server.settings import Settings
from tams_server.wiring import Parts, open_issuers

_log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RETRY_AT_ONCE_S: Final = 0.1
"""How long reads of one kind start in a thread after an attempt at once was in vain."""
CHEAP_ATTEMPT_S: Final = 0.001
"""Attempts that end sooner than this are made again at the next read."""
LONG_READ_S: Final = 0.01
"""A read that takes as long in the event loop, such as a page of large documents, holds up all other requests."""
LONG_READ_PAUSE: Final = 20
"""After a long read, those of its kind start in a thread for this many times as long."""

TRANSFERS: Final = 8
"""Copies that requests wait for, in each process."""
LOOKUPS: Final = 16
LOOKUP_PLACES: Final = 64
"""Requests that wait, in each process, for a name server or for S3 to confirm uploads; 16 of them are in progress."""
PICTURE_PLACES: Final = 16
"""Requests that wait, in each process, for a thumbnail, of which one is made at a time."""
PICTURE_WAIT_S: Final = 10.0
"""The longest wait until a thumbnail is begun."""


REOPEN_PAUSE_S: Final = 1.0
"""After an attempt to open the catalogue and the stores, none is made for so long."""


class ServingProcess:
    """Opens its parts at `start`, or on first use. clock: returns seconds.

    on_audit_failure: called for each line of the audit log that could not be written.

    request_limits, principal_quotas: shared with the processes that are forked from this one, as are the turns and the
    back-off of logins.
    """

    def __init__(
        self,
        settings: Settings,
        open_parts: Callable[[], Parts],
        clock: Callable[[], float] = time.monotonic,
        on_audit_failure: Callable[[], None] | None = None,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._opening = threading.Lock()
        self._problem, self._closed_until = "", -math.inf
        self._slow_until: dict[str, float] = {}
        self._password_turns = MachineTurns()
        self._picture_turns = MachineTurns()
        self.login_backoff = LoginBackOff()
        self._issuers = read_issuers(settings)
        self.audit = RequestAudit(settings, on_audit_failure)
        self.violations = ViolationLog(lambda counts: self.parts.catalog.violations.add(counts))
        self.request_limits = RequestLimits(settings)
        self.principal_quotas = PrincipalQuotas(read_quota_rules(settings))
        self._transfers = BoundedThreads("transfer", TRANSFERS, TRANSFERS, "copies of objects")
        self._lookups = BoundedThreads("lookup", LOOKUPS, LOOKUP_PLACES, "requests that wait for another server")
        self._pictures = BoundedThreads("picture", 1, PICTURE_PLACES, "thumbnails", THUMBNAIL_BUSY)

    @property
    def parts(self) -> Parts:
        """Raises storage.errors.Unavailable while they cannot be opened."""
        return self._parts or self._open()

    @functools.cached_property
    def authenticator(self) -> Authenticator:
        verifier = TokenVerifier(open_issuers(self._issuers), self.own_tokens)
        return Authenticator(self.parts.catalog.credentials, self._password_turns, self.login_backoff, verifier)

    @functools.cached_property
    def own_tokens(self) -> OwnTokens:
        parts = self.parts
        return OwnTokens(parts.catalog.token_keys, parts.identity.installation, self.settings.token_lifetime)

    def address(self, scope: Scope) -> str:
        """Return the address of the client of a request, or ""."""
        return client_address(scope, trust_proxy=self.settings.trust_proxy)

    def authenticate(self, scope: Scope) -> Caller:
        """Return the caller of an ASGI request, in a thread that may wait. Raises what `Authenticator` raises."""
        exchange = exchange_of(scope)
        with self.login(exchange) as presented:
            if presented is None:
                found = self.anonymous_caller(exchange.headers)
            else:
                found = self.authenticator.find_caller(presented, self.address(scope))
        exchange.caller = caller = self.parts.catalog.apply_rules(found)
        return caller

    @contextmanager
    def login(self, exchange: Exchange) -> Iterator[PresentedCredential | None]:
        """Yield the credential of a request, to find its caller in the block. A failure is noted for the audit log.

        None: it has none, and the settings permit that. Raises Unauthorized.
        """
        user = ""
        try:
            try:
                presented = read_credential(
                    exchange.headers, exchange.query_string, url_tokens=self.settings.url_tokens
                )
            except MissingCredential:
                if self.settings.auth != "off":
                    raise
                yield None
                return
            exchange.credential_kind, user = presented.kind, presented.user
            yield presented
        except (Unauthorized, TooManyRequests) as error:
            exchange.failed_login = failed_login(error, user)
            raise

    def anonymous_caller(self, headers: Mapping[bytes, bytes]) -> Caller:
        """Return the caller of a request without credentials. Raises Unauthorized."""
        return anonymous_caller(headers, behind_proxy=self.settings.trust_proxy)

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.parts.handler_threads, thread_name_prefix="handler")

    @functools.cached_property
    def _long_answers(self) -> ThreadPoolExecutor:
        """One thread: SQLite lets go of the interpreter at each row, so that several would fight for it."""
        return ThreadPoolExecutor(1, thread_name_prefix="long-answers")

    def start(self) -> None:
        """Open the catalogue and the stores. While they are unavailable, requests are answered with 503.

        A server that runs would stop otherwise if one of its processes is replaced meanwhile. Raises what else opening
        them raises (tams_server.wiring.open_parts).
        """
        try:
            self._open()
        except Unavailable as error:
            _log.warning("this process cannot serve requests yet: %s", error)

    def _open(self) -> Parts:
        """Open the parts, or raise again why they could not be opened less than a second ago."""
        with self._opening:
            if self._parts is None:
                if self._clock() < self._closed_until:
                    raise Unavailable(self._problem)
                try:
                    self._parts = self._open_parts()
                except Unavailable as error:
                    self._problem, self._closed_until = error.message, self._clock() + REOPEN_PAUSE_S
                    raise
            return self._parts

    def stop(self) -> None:
        """Wait for running handlers to finish, then close the catalogue."""
        self._threads.shutdown()
        self.violations.stop()
        self._long_answers.shutdown()
        self._transfers.close()
        self._lookups.close()
        self._pictures.close()
        if self._parts is not None:
            self._parts.close()

    async def in_thread(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that may block in a handler thread, with the context variables of the request.

        As soon as it is about to wait for another server, it is called again in a thread for such waits. Raises
        storage.errors.Unavailable if too many wait already.
        """
        call = functools.partial(function, *args, **kwargs)
        try:
            run = functools.partial(contextvars.copy_context().run, _in_handler_thread, call)
            return await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except WouldWaitForOthers as error:
            pools = {"transfer": self._transfers, "lookup": self._lookups, "picture": self._pictures}
            if error.wait == "picture":
                call = functools.partial(self._in_picture_turn, call, time.monotonic() + PICTURE_WAIT_S)
            return await pools[error.wait].run(functools.partial(contextvars.copy_context().run, call))

    def _in_picture_turn(self, call: Callable[[], R], until: float) -> R:
        """Make a thumbnail while few are made on this machine. Raises: Unavailable if it cannot begin in time."""
        with self._picture_turns.turn(until - time.monotonic()):
            return call()

    async def read(self, kind: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function that changes nothing: in the event loop, or in a handler thread if it would have to wait.

        The attempt in the event loop ends as soon as the function is about to wait (storage.waiting), which the engine
        ensures for queries that take long. Answers that take no wait but much work have a thread of their own.
        kind: groups functions that take about as long, such as an operationId.
        """
        started = self._clock()
        if self.parts.engine.reads_at_once and started >= self._slow_until.get(kind, 0.0):
            try:
                with answer_at_once():
                    result = function(*args, **kwargs)
            except LongAnswer:
                with suppress(WouldWait):
                    call = functools.partial(function, *args, **kwargs)
                    run = functools.partial(contextvars.copy_context().run, _at_once, call)
                    return await asyncio.get_running_loop().run_in_executor(self._long_answers, run)
            except WouldWait:
                ended = self._clock()
                if ended - started >= CHEAP_ATTEMPT_S:
                    self._slow_until[kind] = ended + RETRY_AT_ONCE_S
            else:
                ended = self._clock()
                if ended - started >= LONG_READ_S:
                    self._slow_until[kind] = ended + LONG_READ_PAUSE * (ended - started)
                return result
        return await self.in_thread(function, *args, **kwargs)


def _at_once(call: Callable[[], R]) -> R:
    with answer_at_once(may_take_long=True):
        return call()


def _in_handler_thread(call: Callable[[], R]) -> R:
    with not_for_others():
        return call()
