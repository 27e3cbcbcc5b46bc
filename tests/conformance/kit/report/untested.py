"""Why a behaviour has no test: most often because it cannot be seen from outside."""

import re

_REASONS = (
    (r"HOOK-.*|DLV-.*|EVT-.*|FLT-.*|TRF-.*", "webhooks: the kit does not test their delivery yet"),
    (r"AUTHZ-.*", "fine-grained authorisation: needs several identities that only the server's owner can make"),
    (r"SCOPE-.*", "scopes: need credentials with single scopes, which only the server's owner can make"),
    (r"TMO-0[2567]|STO-31|OBJ-LIFE-03|SEG-POST-1[01]", "takes longer than a test may: at least min_object_timeout"),
    (r"AUTH-(0[89]|10|13)|SVC-GEN-05", "happens inside the server, or in its logs"),
    (r"OBJ-INST-POST-16", "what a server fetches is not visible to its clients"),
    (r"RO-16", "no outcome is asked for"),
)


def reason_untested(id_: str) -> str:
    """The reason, or that there is none yet."""
    return next((reason for pattern, reason in _REASONS if re.fullmatch(pattern, id_)), "no test names it yet")
