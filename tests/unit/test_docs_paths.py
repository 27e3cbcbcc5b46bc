"""Every path, function and link that the README and the pages of docs/ mention is there.

Inside backticks: `folder/file.py`, `folder/file.py:function`, `folder/file.py:Class.method` and `storage.module.name`.
In code blocks: paths, and tests as `tests/...py::test_name`. A name with an angle bracket is a placeholder.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = "api|docs|handlers|storage|tams_server|tests"
PACKAGES = "handlers|storage|tams_server|tests"

_PATH = re.compile(rf"(?:\.ci/run|(?:{FOLDERS})/[\w./*-]*)(?:::?[\w.:]+)?")
_DOTTED = re.compile(rf"(?:{PACKAGES})(?:\.\w+)+")
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]*)?\)")


def mentions(text: str) -> Iterator[str]:
    """Paths and dotted names of a page."""
    for block in _BLOCK.findall(text):
        yield from (word for word in re.split(r"[\s'\"=]+", block) if _PATH.fullmatch(word))
    for quoted in re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text)):
        if _PATH.fullmatch(quoted) or _DOTTED.fullmatch(quoted):
            yield quoted


def is_there(mention: str) -> bool:
    if "/" not in mention:
        return is_name(mention)
    path, _, name = mention.replace("::", ":").partition(":")
    if not name:
        return bool(list(ROOT.glob(path.rstrip("/"))))
    file = ROOT / path
    return file.is_file() and name.replace(":", ".") in names_in(file)


def is_name(dotted: str) -> bool:
    """Whether a dotted name is a package, a module, or something that a module defines."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place, rest = ROOT.joinpath(*parts[:length]), ".".join(parts[length:])
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file() and (not rest or rest in names_in(file)):
                return True
    return False


@functools.cache
def names_in(file: Path) -> frozenset[str]:
    """The functions, classes, methods, fields and constants that a module defines."""
    return frozenset(_names(ast.parse(file.read_text())))


def _names(node: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[str]:
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name
        elif isinstance(child, ast.ClassDef):
            yield prefix + child.name
            yield from _names(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.Assign):
            yield from (prefix + target.id for target in child.targets if isinstance(target, ast.Name))
        elif isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            yield prefix + child.target.id


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_names_exist(page: Path) -> None:
    missing = sorted({mention for mention in mentions(page.read_text()) if not is_there(mention)})
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    broken = []
    for path, anchor in _LINK.findall(_BLOCK.sub("", page.read_text())):
        if path.startswith(("http://", "https://", "mailto:")):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor[1:] not in anchors(target)):
            broken.append(path + anchor)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    linked = {(index.parent / path).resolve() for path, _ in _LINK.findall(index.read_text()) if path}
    decisions = ROOT / "docs" / "decisions"
    linked |= {(decisions / path).resolve() for path, _ in _LINK.findall((decisions / "README.md").read_text())}
    assert set(PAGES[1:]) - linked - {index} == set()


@pytest.mark.parametrize(
    ("mention", "there"),
    [
        ("storage/timerange.py", True),
        ("storage/timerange.py:TimeRange.covers", True),
        ("storage/timerange.py:TimeRange.missing", False),
        ("storage.timerange.parse_timerange", True),
        ("storage.timerange.missing", False),
        ("storage/missing.py", False),
        ("tests/unit/test_*.py", True),
        ("tests/unit/test_docs_paths.py::test_paths_and_names_exist", True),
        ("tests/unit/test_docs_paths.py::test_missing", False),
    ],
)
def test_missing_names_are_found(mention: str, there: bool) -> None:
    assert is_there(mention) is there
