"""Parametrised tests whose cases have names and prove different behaviours."""

from collections.abc import Mapping

import pytest


def named_cases(proves: Mapping[str, str]) -> pytest.MarkDecorator:
    """Run the test with each key of `proves` as its argument `name`.

    proves: the ids of the behaviours that each case proves, separated by spaces, by name.
    """
    each = [pytest.param(name, marks=pytest.mark.behaviour(*ids.split()), id=name) for name, ids in proves.items()]
    return pytest.mark.parametrize("name", each)
