"""The codes of all errors (F10), each declared once: what it means, how grave it is, and what a client can do.

Raise an error with the code that names the rule: `raise NotFound("...", code=error_codes.FLOW_NOT_FOUND, ...)`.
`catalog` has the codes of flows, sources, profiles, webhooks and rights, `objects` those of segments and objects,
`deletion` those of deletions with conditions and of restorations, `playback` those of playlists, `thumbnails` those of
thumbnails, `general` those that any part may need; tams_server.error_codes adds those of HTTP. docs/errors.md is made
from them (`make errors-page`).
"""

from storage.error_codes.catalog import *  # noqa: F403
from storage.error_codes.deletion import *  # noqa: F403
from storage.error_codes.general import *  # noqa: F403
from storage.error_codes.objects import *  # noqa: F403
from storage.error_codes.playback import *  # noqa: F403
from storage.error_codes.thumbnails import *  # noqa: F403
