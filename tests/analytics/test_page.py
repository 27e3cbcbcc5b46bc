"""docs/analytics.md lists what there is."""

from pathlib import Path

from storage.analytics.questions import QUESTIONS
from storage.analytics.views import VERSION, VIEWS

PAGE = (Path(__file__).parents[2] / "docs" / "analytics.md").read_text(encoding="utf-8")


def test_every_question_and_its_parameters_are_on_the_page() -> None:
    for question in QUESTIONS.values():
        parameters = (f"`{name}` ({each.default}): {each.about}" for name, each in question.parameters.items())
        assert f"| `{question.name}` | {question.about} | {', '.join(parameters)} |" in PAGE


def test_every_view_and_its_columns_are_on_the_page() -> None:
    assert f"Version {VERSION}." in PAGE
    for view in VIEWS.values():
        section = PAGE.partition(f"\n### {view.name}\n")[2].partition("\n#")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert rows == [f"| `{name}` | {text} |" for name, text in view.columns.items()]
