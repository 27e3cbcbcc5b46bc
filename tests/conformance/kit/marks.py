"""Tests that run once for each of several names, which prove different behaviours."""

from collections.abc import Mapping

import pytest


def by_name(proves: Mapping[str, str]) -> pytest.MarkDecorator:
    """The test with each of these as its `name`. proves: behaviours, separated by spaces, by name."""
    each = [pytest.param(name, marks=pytest.mark.behaviour(*ids.split()), id=name) for name, ids in proves.items()]
    return pytest.mark.parametrize("name", each)
