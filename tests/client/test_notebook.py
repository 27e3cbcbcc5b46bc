"""F21: the notebook runs from top to bottom, and prints what it shows. A few lines run it; Jupyter is not needed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import ENGINES

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook" / "client-library.ipynb"


def printed(cell: dict[str, Any]) -> str:
    """What a cell printed when it was saved."""
    return "".join("".join(output["text"]) for output in cell["outputs"])


@pytest.mark.parametrize("any_server", ENGINES[:1], indirect=True)
def test_the_notebook_prints_what_it_shows(
    any_server: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAMS_URL", any_server[0])
    monkeypatch.setenv("TAMS_TOKEN", any_server[1])
    document, names = json.loads(NOTEBOOK.read_text()), dict[str, Any]()
    assert (document["nbformat"], document["metadata"]["language_info"]["name"]) == (4, "python")
    cells = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert len(cells) >= 5
    for cell in cells:
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
        assert capsys.readouterr().out == printed(cell), cell["id"]
