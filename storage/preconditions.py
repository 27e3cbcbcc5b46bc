"""Preconditions of requests (RFC 9110, section 13): is a resource still in the state that the client knows?

A resource has an entity tag, which changes whenever its representation does. Some representations also show what others
change (segments of a flow, URLs that are signed again). Their tags have two parts, with a dot between them: the version
of the resource itself, and a digest of the representation. A change needs the version alone to match, so that an ingest
in progress does not keep others from changing the metadata of its flow.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from storage.errors import PreconditionFailed

_ENTITY_TAG = re.compile(r'(W/)?"([^"]*)"')
_DIGEST_BYTES = 10


def digest(data: bytes) -> str:
    """Return the part of an entity tag that stands for these bytes."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def digest_of(value: Any) -> str:
    """Return the digest of a JSON value, as it is encoded in a response."""
    return digest(orjson.dumps(value))


@dataclass(frozen=True, slots=True)
class ResourceVersion:
    """The version of a resource. tag: its part of the entity tag; "" if the digest of the representation is the whole.

    modified: when the resource was last changed, in seconds since 1970; None if that is unknown.
    """

    tag: str = ""
    modified: int | None = None

    def etag(self, representation: bytes, known_digest: str | None = None) -> str:
        """Return the entity tag of a representation, without quotes. known_digest: of it, if it has been computed."""
        found = digest(representation) if known_digest is None else known_digest
        return f"{self.tag}.{found}" if self.tag else found


@dataclass(frozen=True, slots=True)
class ResourceState:
    """The state with which preconditions are compared.

    etag: entity tag of the present representation, without quotes; None if it is not known or there is none.
    version: leading part of all entity tags of this version; None if they have no such part.
    modified: as for ResourceVersion. exists: whether the resource has a representation.
    """

    etag: str | None = None
    version: str | None = None
    modified: int | None = None
    exists: bool = True

    def has_tag(self, tag: str) -> bool:
        """Whether the tag is that of the present representation, or of another one of the same version."""
        return tag == self.etag or (self.version is not None and tag.partition(".")[0] == self.version)


NO_RESOURCE = ResourceState(exists=False)


def member_state(owner: ResourceVersion, value: Any) -> ResourceState:
    """Return the state of one member of a resource, such as its label. value: None if it is not set.

    The tags of the member and those of its owner are both accepted.
    """
    return ResourceState(
        etag=None if value is None else digest_of(value),
        version=owner.tag,
        modified=owner.modified,
        exists=value is not None,
    )


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The preconditions of one request; None where the request has no such header.

    if_match, if_none_match: the fields as received. if_unmodified_since, if_modified_since: Unix time in seconds.
    """

    if_match: str | None = None
    if_none_match: str | None = None
    if_unmodified_since: float | None = None
    if_modified_since: float | None = None

    def check_change(self, state: ResourceState) -> None:
        """Check the preconditions of a change, in the transaction that makes it. Raises: PreconditionFailed."""
        self._check_unchanged(state)
        if self.if_none_match is not None and state.exists:
            if self.if_none_match.strip() == "*":
                raise PreconditionFailed(
                    "If-None-Match: * is not met: the resource already exists", field="If-None-Match"
                )
            if any(state.has_tag(tag) for _, tag in _tags(self.if_none_match)):
                raise PreconditionFailed(
                    "If-None-Match is not met: it lists the entity tag of the resource", field="If-None-Match"
                )

    def is_unmodified(self, state: ResourceState) -> bool:
        """Check the preconditions of a read. Returns whether the client has the present representation already.

        Raises: PreconditionFailed.
        """
        self._check_unchanged(state)
        if not state.exists:
            return False
        if self.if_none_match is not None:
            return self.if_none_match.strip() == "*" or any(tag == state.etag for _, tag in _tags(self.if_none_match))
        since = self.if_modified_since
        return since is not None and state.modified is not None and state.modified <= since

    def _check_unchanged(self, state: ResourceState) -> None:
        if self.if_match is not None:
            if self.if_match.strip() == "*":
                if not state.exists:
                    raise PreconditionFailed("If-Match: * is not met: the resource does not exist", field="If-Match")
            elif not any(not weak and state.has_tag(tag) for weak, tag in _tags(self.if_match)):
                raise PreconditionFailed(
                    "If-Match is not met: it lists no strong entity tag of the resource, which may have changed",
                    field="If-Match",
                )
        elif state.exists and self._is_modified_since(state.modified):
            raise PreconditionFailed(
                "If-Unmodified-Since is not met: the resource has changed since", field="If-Unmodified-Since"
            )

    def _is_modified_since(self, modified: int | None) -> bool:
        limit = self.if_unmodified_since
        return limit is not None and modified is not None and modified > limit


def _tags(field: str) -> Iterator[tuple[bool, str]]:
    """Yield the entity tags in a field: whether each is weak, and its text."""
    for match in _ENTITY_TAG.finditer(field):
        yield bool(match[1]), match[2]
