"""Writes the table of a run, and its picture, into docs/."""

from pathlib import Path
from typing import Any

from tests.benchmarks.frame import ROOT, Outcome, Result
from tests.benchmarks.picture import draw_costs
from tests.benchmarks.report import number

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "cost-by-size.svg"
_START, _END = "<!-- results: start -->", "<!-- results: end -->"
_UNITS = {"ms": " ms", "/s": "/s", "MB": " MB", "s": " s"}


def write_document(content: dict[str, Any], page: Path = PAGE, picture: Path = PICTURE) -> None:
    """Put the results that tests.benchmarks.report.load has read between the markers of the page."""
    before, rest = page.read_text().split(_START)
    after = rest.split(_END)[1]
    page.write_text(f"{before}{_START}\n{table(content)}{_END}{after}")
    picture.write_text(draw_costs(content["outcomes"]))


def table(content: dict[str, Any]) -> str:
    """The results as a table in Markdown; of a case of several sizes only the largest."""
    lines = [
        f"Measured on {content['made']}, {content['cores']} cores ({content['machine']}), Python {content['python']}.",
        "",
        "| row | case | measured | baseline | figure | target |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for each in content["outcomes"]:
        if not isinstance(each, Result):
            lines.append(f"| {each.row} | {each.case} | skipped | | | |")
        elif not each.size or each.size == _largest(content["outcomes"], each):
            lines.append(_line(each))
    return "\n".join([*lines, ""])


def _largest(outcomes: list[Outcome], result: Result) -> int:
    return max(each.size for each in outcomes if isinstance(each, Result) and each.group == result.group)


def _line(result: Result) -> str:
    baseline = "" if result.baseline is None else _quantity(result.baseline.median, result.unit)
    target = "" if result.target is None else f"{result.target}{'' if result.met else ', missed'}"
    measured = _quantity(result.sample.median, result.unit)
    return f"| {result.row} | {result.case} | {measured} | {baseline} | {number(result.figure)} | {target} |"


def _quantity(value: float, unit: str) -> str:
    return f"{number(value)}{_UNITS.get(unit, ' ' + unit)}"
