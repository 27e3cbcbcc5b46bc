"""The rotation of the keys that sign media URLs, on every engine."""

from storage.catalog.service import load_identity
from storage.catalog.url_keys import AHEAD_S, read_keys, rotate_keys
from storage.tables.engine import Engine

NOW = 1_800_000_000
LIFETIME = 3600


def test_a_rotation_keeps_former_keys_until_their_last_url_expires(engine: Engine) -> None:
    [first] = load_identity(engine).url_keys
    assert rotate_keys(engine, LIFETIME, clock=lambda: NOW) == read_keys(engine)
    former, new = read_keys(engine)
    assert (former.secret, former.signs_from) == (first.secret, 0)
    assert former.valid_until is not None
    assert former.valid_until >= new.signs_from + LIFETIME
    assert (new.signs_from, new.valid_until) == (NOW + AHEAD_S, None)
    assert load_identity(engine).url_keys == (former, new)
    again = rotate_keys(engine, LIFETIME, clock=lambda: NOW + 60)
    assert [key.secret for key in again[:2]] == [former.secret, new.secret]
    assert again[0].valid_until == former.valid_until
    later = rotate_keys(engine, LIFETIME, clock=lambda: NOW + 5000)
    assert [key.secret for key in later[:-1]] == [again[2].secret]


def test_a_rotation_can_revoke_the_former_keys(engine: Engine) -> None:
    [first] = load_identity(engine).url_keys
    [new] = rotate_keys(engine, LIFETIME, revoke=True, clock=lambda: NOW)
    assert new.secret != first.secret
    assert (new.signs_from, new.valid_until) == (NOW, None)
