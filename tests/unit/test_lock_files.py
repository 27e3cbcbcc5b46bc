"""The lock files pin, with hashes, everything that setup.cfg asks for."""

import configparser
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-audit.lock")


def pinned(lock: str) -> dict[str, tuple[str, int]]:
    """The version of each package in a lock file, and the number of its hashes."""
    found = {}
    text = re.sub(r"(?m)^\s*#.*\n", "", (ROOT / lock).read_text())
    for line in text.replace("\\\n", " ").splitlines():
        requirement, *hashes = re.split(r"\s+--hash=", line.strip())
        parsed = Requirement(requirement)
        [exact] = parsed.specifier
        assert exact.operator == "==", line
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), line
        found[canonicalize_name(parsed.name)] = (exact.version, len(hashes))
    return found


def wanted() -> Iterator[tuple[str, Requirement]]:
    """The requirements, each with the lock file that must have it."""
    configured = configparser.ConfigParser()
    configured.read(ROOT / "setup.cfg")
    lists = {
        "requirements.lock": configured["options"]["install_requires"],
        "requirements-test.lock": configured["options.extras_require"]["test"],
        "requirements-audit.lock": (ROOT / "requirements-audit.in").read_text(),
    }
    for lock, text in lists.items():
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield lock, Requirement(line)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes(lock: str) -> None:
    packages = pinned(lock)
    assert len(packages) > 20
    assert [name for name, (_, hashes) in packages.items() if not hashes] == []


def test_packages_with_compiled_parts_have_the_hashes_of_all_platforms() -> None:
    packages = pinned("requirements.lock")
    assert all(packages[name][1] > 10 for name in ("orjson", "pyarrow", "psycopg-binary", "uvloop", "pyyaml"))


@pytest.mark.parametrize(("lock", "requirement"), [pytest.param(*each, id=str(each[1])) for each in wanted()])
def test_what_is_asked_for_is_pinned(lock: str, requirement: Requirement) -> None:
    version, _ = pinned(lock)[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_servers_and_tests_have_the_same_versions() -> None:
    packages = pinned("requirements-test.lock")
    assert {name: packages.get(name) for name in pinned("requirements.lock")} == pinned("requirements.lock")
