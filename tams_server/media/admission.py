"""Whether a principal may send a request to the media plane now: rates, requests at a time, and quotas of uploads."""

from contextlib import AbstractContextManager, nullcontext

from starlette.types import Scope

from tams_server.http.exchange import exchange_of
from tams_server.quotas.principal_quotas import PrincipalQuotas, UploadAccount
from tams_server.quotas.request_limits import RequestLimits


class Admission:
    """The limits that the API has as well. Addresses are limited before."""

    def __init__(self, limits: RequestLimits, quotas: PrincipalQuotas) -> None:
        self._limits = limits
        self._quotas = quotas

    @property
    def has_limits(self) -> bool:
        """Whether there is anything to check."""
        return self._limits.limit_callers or self._quotas.limit_uploads

    def request_of(self, scope: Scope, caller: str) -> AbstractContextManager[None]:
        """Count a request with the credential of a caller, for the duration of the block. Raises TooManyRequests."""
        return self._limits.request_of(exchange_of(scope), caller) if self._limits.limit_callers else nullcontext()

    def begin_upload(self, scope: Scope, owner: str | None, announced: int, *, presigned: bool) -> UploadAccount | None:
        """Count an upload for the principal that allocated the object, which is the one that was given the URL.

        owner: None if it is unknown. announced: the bytes that are to come, as far as they are known.
        presigned: whether the request carries no credential, so that `request_of` has not counted it.

        Raises TooManyRequests.
        """
        if owner is None:
            return None
        if presigned and self._limits.limit_callers:
            self._limits.check_caller(exchange_of(scope), owner)
        return self._quotas.begin_upload(exchange_of(scope), owner, announced) if self._quotas.limit_uploads else None
