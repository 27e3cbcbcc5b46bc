"""docs/features.md is up to date, and every feature on it has a page and a test."""

import pytest

from tests.features import FEATURES, PAGE, ROOT, Feature, page, proofs


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run `python -m tests.features`"


@pytest.mark.parametrize("feature", [each for each in FEATURES if not each.planned], ids=lambda each: each.number)
def test_a_feature_is_described_and_proven(feature: Feature) -> None:
    assert proofs()[feature.number]
    for name in feature.pages:
        assert (ROOT / "docs" / name).is_file()


def test_tests_prove_features_that_are_listed() -> None:
    assert set(proofs()) <= {each.number for each in FEATURES if not each.planned}
