"""The number of serving processes, and of threads of a query, that the machine and the container around it allow."""

import os
from pathlib import Path

import pytest

from tams_server.cores import MAX_DEFAULT, default_processes, query_threads, usable_cores


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine of which this process may use 16 cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(16)))
    return 16


def in_group(folder: Path, path: str, quotas: dict[str, str]) -> int:
    """Return the usable cores in the control group `path`. quotas: the content of cpu.max, by path of the group."""
    own = folder / "cgroup"
    own.write_text(f"1:cpu:/ignored\n0::{path}\n")
    for group, content in quotas.items():
        file = folder / "groups" / group.strip("/") / "cpu.max"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return usable_cores(folder / "groups", own)


def test_all_cores_of_the_affinity_mask_are_used_without_a_quota(cores: int, tmp_path: Path) -> None:
    assert usable_cores(tmp_path, tmp_path / "missing") == cores
    assert in_group(tmp_path, "/", {"/": "max 100000\n"}) == cores


@pytest.mark.parametrize(
    ("quota", "expected"), [("400000 100000", 4), ("150000 100000", 2), ("50000 100000", 1), ("9900000 100000", 16)]
)
def test_a_quota_limits_the_cores_and_is_rounded_up(cores: int, tmp_path: Path, quota: str, expected: int) -> None:
    assert in_group(tmp_path, "/", {"/": quota}) == expected


def test_the_smallest_quota_of_the_groups_around_counts(cores: int, tmp_path: Path) -> None:
    assert in_group(tmp_path, "/pod/container", {"/pod": "200000 100000", "/pod/container": "max 100000"}) == 2


@pytest.mark.parametrize("content", ["", "nonsense", "1 0", "a b"])
def test_a_quota_that_cannot_be_read_is_ignored(cores: int, tmp_path: Path, content: str) -> None:
    assert in_group(tmp_path, "/", {"/": content}) == cores


def test_the_default_is_limited_on_large_machines(cores: int) -> None:
    assert 1 <= default_processes() <= MAX_DEFAULT < cores


@pytest.mark.parametrize(("usable", "expected"), [(1, 1), (2, 2), (4, 4), (64, 4)])
def test_a_query_has_few_threads(monkeypatch: pytest.MonkeyPatch, usable: int, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(usable)))
    assert query_threads() == min(expected, usable_cores())
