"""The processor cores that this process may use, for the number of serving processes and of threads of a query."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_DEFAULT: Final = 8
"""More processes than this are started only if a setting says so: each takes memory and connections to the database."""
_MAX_QUERY_THREADS: Final = 4
"""Reading the tables, which is half of a query, takes one."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def default_processes() -> int:
    """Return the number of serving processes if the settings have none: one for each usable core, at most 8."""
    return max(1, min(usable_cores(), MAX_DEFAULT))


def query_threads() -> int:
    """Return the number of threads for a query of analytics, which run only while requests leave a core free."""
    return max(1, min(usable_cores(), _MAX_QUERY_THREADS))


def usable_cores(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int:
    """Return the number of cores, rounded up, that the CPU affinity and the quotas of control groups (v2) allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return math.ceil(min([cores, *_quotas(cgroups, own_cgroup)]))


def _quotas(cgroups: Path, own_cgroup: Path) -> Iterator[float]:
    """Yield the quotas of the control group of this process and of those around it, in cores."""
    try:
        lines = own_cgroup.read_text().splitlines()
    except OSError:
        return
    # Version 2 has the line "0::/path"; in a container the path is usually "/".
    path = next((line.removeprefix("0::/") for line in lines if line.startswith("0::/")), None)
    if path is None:
        return
    group = cgroups / path
    for folder in (group, *group.parents):
        if folder.is_relative_to(cgroups):
            yield from _quota(folder / "cpu.max")


def _quota(file: Path) -> Iterator[float]:
    """Yield the quota in a file such as "150000 100000": microseconds in each period. "max" is none."""
    try:
        quota, period = file.read_text().split()
        yield int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return
