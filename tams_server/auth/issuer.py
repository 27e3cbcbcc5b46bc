"""An issuer whose tokens are accepted, and what its claims mean here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ALGORITHMS: Final = {
    **{f"{family}{size}": ("RSA", None) for family in ("RS", "PS") for size in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""The algorithms of signatures that are accepted, each with the type and the curve of its keys. None is symmetric."""


@dataclass(frozen=True, slots=True)
class ClientRights:
    """What a client may do whose tokens name no groups. scopes: some of storage.catalog.caller.SCOPES."""

    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer in the settings (docs/access.md).

    name: begins the names of its principals. issuer: the claim `iss`, exactly.
    audiences: of which the claim `aud` must have one; none: it is not compared.
    jwks_url: where its keys are; None: where its discovery document says. ca_file: certificates that vouch for it.
    algorithms: those of ALGORITHMS that its tokens may use. leeway_s: difference of clocks that is tolerated.
    scope_claims, groups_claims: dotted paths of claims, of which all are read. scopes, group_scopes: what the names in
    them grant, as some of storage.catalog.caller.SCOPES.
    principal_claim: the claim that names the caller. required_claims: values of which each claim must have one.
    clients: by client id.
    """

    name: str
    issuer: str
    audiences: frozenset[str] = frozenset()
    jwks_url: str | None = None
    ca_file: Path | None = None
    algorithms: frozenset[str] = frozenset(ALGORITHMS)
    leeway_s: int = 30
    scope_claims: tuple[str, ...] = ("scope", "scp")
    groups_claims: tuple[str, ...] = ("groups",)
    principal_claim: str = "sub"
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    group_scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    required_claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    clients: Mapping[str, ClientRights] = field(default_factory=dict)
