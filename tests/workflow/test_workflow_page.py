"""F3, F7: docs/workflow.md shows how the server responds today."""

from pathlib import Path

from tests.workflow.page import PAGE, page


def test_the_page_shows_how_the_server_responds(tmp_path: Path) -> None:
    assert PAGE.read_text() == page(tmp_path), "run `python -m tests.workflow.page`"
