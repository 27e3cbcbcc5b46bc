"""F21: the recipes of docs/client-library.md do what the page says, on a server of every engine."""

import re
from contextlib import chdir
from pathlib import Path

import pytest

from tests.client.studio import studio_of

PAGE = (Path(__file__).parents[2] / "docs" / "client-library.md").read_text()
_RECIPE = re.compile(r"<!-- recipe: (\w+) -->\n```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)
RECIPES = {name: (code, output) for name, code, output in _RECIPE.findall(PAGE)}


def test_there_are_ten_recipes() -> None:
    assert len(RECIPES) == 11, "ten, and what each begins with"


@pytest.mark.timeout(300)
def test_recipes_do_what_the_page_says(
    any_server: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, token = any_server
    monkeypatch.setenv("TAMS_URL", url)
    monkeypatch.setenv("TAMS_TOKEN", token)
    for name, (code, output) in RECIPES.items():
        with studio_of(url, token) as studio, chdir(tmp_path):
            exec(compile(RECIPES["beginning"][0] + code, f"recipe {name}", "exec"), {"FLOW": studio.flow_id})
        # The page has short ids of objects; here they begin with that of the flow.
        assert capsys.readouterr().out.replace(studio.flow_id, "studio") == output, name
        assert output or name == "beginning", f"{name} does not say what it prints"
