"""The credentials in the settings, which exist as long as the settings name them."""

import logging

from storage.catalog.caller import SCOPES
from storage.catalog.credentials import Credentials
from storage.catalog.passwords import check_strength
from storage.errors import Invalid
from tams_server.settings import Settings

_log = logging.getLogger(__name__)


def store_credentials(settings: Settings, credentials: Credentials) -> None:
    """Store the credentials in the settings, and revoke those that settings named before and do not name now.

    Raises: storage.errors.Unavailable.
    """
    kept = []
    if settings.bootstrap_token:
        kept.append(credentials.set_token("bootstrap", SCOPES, settings.bootstrap_token))
    if settings.bootstrap_basic:
        user, _, password = settings.bootstrap_basic.partition(":")
        try:
            check_strength(user, password)
        except Invalid as error:
            _log.warning("TAMS_BOOTSTRAP_BASIC: %s", error.message)
        kept.append(credentials.add_password(user, password, SCOPES, from_settings=True))
    for name in credentials.keep_from_settings(kept):
        _log.warning("the credential %r has been revoked, as it is no longer in the settings", name)
