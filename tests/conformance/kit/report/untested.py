"""Reasons why behaviours have no test in the kit, mostly because they are not visible from outside.

Those that are open in the specification, or need several credentials, are tested for this project's server in
tests/api.
"""

import re

_REASONS = (
    (
        r"AUTHZ-.*|HOOK-POST-11|DLV-1[45]",
        "fine-grained authorisation: needs several identities, which only the operator of the server can create",
    ),
    (
        r"SCOPE-.*|GEN-10|SRC-TAG-14|OBJ-INST-POST-15|OBJ-INST-DEL-10|SVC-POST-04|HOOK-(LIST-05|GET-02|PUT-08)",
        "permissions: needs credentials with fewer permissions, which only the operator of the server can create",
    ),
    (
        r"TMO-0[1-7]|STO-(26|31)|OBJ-LIFE-03|SEG-POST-1[01]|SEG-GET-43",
        "takes too long for a test: the server's timeouts are at least minutes",
    ),
    (
        r"SEG-POST-(1[267]|29|37|44)|STO-(08|21)|PROF-POST-0[39]|TR-10|TAGQ-12|RO-16",
        "open in the specification: accepting and rejecting both conform",
    ),
    (r"OBJ-LIFE-08", "depends on the object store behind the server, which clients upload to without it"),
    (r"DREQ-13|SVC-POST-06", "needs a restart of the server"),
    (r"DREQ-08", "needs a deletion that fails"),
    (r"TMO-08", "the reason for a deletion by the server itself is not visible to clients"),
    (r"VER-03", "the base path is part of the URL given to the kit: any path will do"),
    (r"AUTH-(0[89]|10)|SVC-GEN-05", "only visible inside the server or in its logs"),
    (r"DLV-07", "needs a host name whose address changes between registration and delivery"),
    (r"OBJ-INST-POST-16", "requests by the server itself are not visible to clients"),
)
NOT_RUN = "none of its tests was run"


def reason_untested(id_: str) -> str:
    """The reason why a behaviour has no test, or else NOT_RUN."""
    return next((reason for pattern, reason in _REASONS if re.fullmatch(pattern, id_)), NOT_RUN)
