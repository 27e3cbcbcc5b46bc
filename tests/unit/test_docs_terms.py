"""The list of unwanted terms can be used, and `make help` lists every target."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TERMS = (ROOT / "docs" / "terms.txt").read_text().splitlines()
UNWANTED = TERMS[0].partition("->")[0]


def test_terms_are_sorted_and_have_replacements() -> None:
    words = [line.partition("->")[0] for line in TERMS]
    assert words == sorted(set(words))
    assert all(re.fullmatch(r"[a-z-]+->[a-z ,]+", line) for line in TERMS)


@pytest.mark.parametrize(("text", "status"), [(f"A {UNWANTED} is found.", 65), ("An error is fine.", 0)])
def test_codespell_finds_an_unwanted_term(tmp_path: Path, text: str, status: int) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    command = [sys.executable, "-m", "codespell_lib", "-D", str(ROOT / "docs" / "terms.txt"), str(page)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stdout + done.stderr


def test_make_help_lists_every_target() -> None:
    [targets] = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert set(re.findall(r"^  make ([\w-]+) ", done.stdout, re.MULTILINE)) == set(targets.split())
