"""Why a behaviour has no test in the kit: most often because it cannot be seen from outside.

What is said to be open or to need more than one credential is tested for this project's own server in tests/api.
"""

import re

_REASONS = (
    (
        r"AUTHZ-.*|HOOK-POST-11|DLV-1[45]",
        "fine-grained authorisation: needs several identities, which only the server's owner can make",
    ),
    (
        r"SCOPE-.*|GEN-10|SRC-TAG-14|OBJ-INST-POST-15|OBJ-INST-DEL-10|SVC-POST-04|HOOK-(LIST-05|GET-02|PUT-08)",
        "permissions: needs credentials with fewer of them, which only the server's owner can make",
    ),
    (
        r"TMO-0[1-7]|STO-(26|31)|OBJ-LIFE-03|SEG-POST-1[01]|SEG-GET-43",
        "takes longer than a test may: as long as the server's own timeouts, which are minutes at least",
    ),
    (
        r"SEG-POST-(1[267]|29|37|44)|STO-(08|21)|PROF-POST-0[39]|TR-10|TAGQ-12|RO-16",
        "open in the specification: to accept and to refuse it both conform",
    ),
    (r"DREQ-13|SVC-POST-06", "needs a restart of the server"),
    (r"DREQ-08", "needs a deletion that fails"),
    (r"TMO-08", "why a server deletes something by itself is not visible to its clients"),
    (r"VER-03", "the base path is part of the URL that the kit is given: any path will do"),
    (r"AUTH-(0[89]|10)|SVC-GEN-05", "happens inside the server, or in its logs"),
    (r"DLV-07", "needs a name whose address changes between registration and delivery"),
    (r"OBJ-INST-POST-16", "what a server fetches is not visible to its clients"),
)
NOT_RUN = "no test of it was run"


def reason_untested(id_: str) -> str:
    """The reason, or that its tests were no part of the run."""
    return next((reason for pattern, reason in _REASONS if re.fullmatch(pattern, id_)), NOT_RUN)
