"""How results are judged, stored, drawn and written into the documentation."""

from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.document import table, write_document
from tests.benchmarks.frame import ROOT, Options, Outcome, Sample, Shared, Skipped, Target, interleave, plain, ratio
from tests.benchmarks.picture import draw_costs
from tests.benchmarks.report import line, load, save, summary

OUTCOMES: list[Outcome] = [
    ratio(
        "P1", "last page, sqlite, 1,000 -> 10,000", "ms", Sample((2, 3)), Sample((1, 1)), Target(1.2),
        group="last page, sqlite", size=10_000, base_size=1000,
    ),
    ratio(
        "P1", "last page, sqlite, 1,000 -> 100,000", "ms", Sample((20, 30)), Sample((1, 1)), Target(1.2),
        group="last page, sqlite", size=100_000, base_size=1000,
    ),
    plain("P7", "64 flows", "/s", Sample((410.0,)), Target(400, at_least=True)),
    Skipped("P9", "nginx", "needs nginx"),
]  # fmt: skip


def _options(*, short: bool = False) -> Options:
    return Options(ROOT, ["sqlite"], [1000, 10_000], [1000, 10_000], 2, short, ROOT, Shared(ExitStack()), print)


def test_ratio_is_that_of_each_round() -> None:
    drifting = ratio("P1", "case", "ms", Sample((2, 20, 200)), Sample((1, 10, 100)))
    assert drifting.figure == 2


@pytest.mark.parametrize(
    ("target", "met", "missed"), [(Target(1.2), 1.2, 1.21), (Target(400, at_least=True), 400, 399)]
)
def test_target_is_met_up_to_its_value(target: Target, met: float, missed: float) -> None:
    assert target.met_by(met)
    assert not target.met_by(missed)


def test_short_form_widens_targets_in_both_directions() -> None:
    short = _options(short=True)
    assert short.target(2, 1.5) == Target(3)
    assert short.target(3, 1.5, at_least=True) == Target(2, at_least=True)
    assert _options().target(2, 1.5) == Target(2)


def test_rounds_are_interleaved_in_alternating_order() -> None:
    calls: list[str] = []

    def record(name: str) -> float:
        calls.append(name)
        return len(calls)

    found = interleave({"a": lambda: record("a"), "b": lambda: record("b")}, 4)
    assert "".join(calls) == "baabbaab"
    assert {name: len(sample.values) for name, sample in found.items()} == {"a": 4, "b": 4}


def test_rounds_end_early_when_they_take_too_long() -> None:
    assert len(interleave({"a": lambda: 1.0}, 50, budget_s=0)["a"].values) == 3


def test_missed_targets_and_skipped_cases_are_reported() -> None:
    assert line(OUTCOMES[0]).endswith("<= 1.2  MISSED")
    assert line(OUTCOMES[2]).endswith(">= 400")
    assert line(OUTCOMES[3]).endswith("skipped: needs nginx")
    assert summary(OUTCOMES).startswith("1 targets met, 2 missed, 1 skipped")


def test_results_are_read_as_they_were_saved(tmp_path: Path) -> None:
    save(tmp_path / "results.json", OUTCOMES, _options())
    assert load(tmp_path / "results.json")["outcomes"] == OUTCOMES


def test_picture_has_a_line_through_all_sizes_of_a_case() -> None:
    picture = ElementTree.fromstring(draw_costs(OUTCOMES))
    [line] = picture.iter("{http://www.w3.org/2000/svg}polyline")
    assert len(line.attrib["points"].split()) == 3


def test_page_gets_the_largest_size_of_a_case(tmp_path: Path) -> None:
    save(tmp_path / "results.json", OUTCOMES, _options())
    content = load(tmp_path / "results.json")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: start -->\nold\n<!-- results: end -->\nafter\n")
    write_document(content, page, tmp_path / "picture.svg")
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "1,000 -> 100,000 | 25.0 ms | 1.00 ms | 25.0 | <= 1.2, missed |" in text
    assert "10,000 |" not in table(content)
    assert (tmp_path / "picture.svg").read_text().startswith("<svg")
