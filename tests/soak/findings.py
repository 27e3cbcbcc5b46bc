"""Differences between what a server acknowledged and what it has."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Findings:
    """lost: acknowledged, but not there, or deleted and there again. doubled: there more often than acknowledged.

    wrong: anything else, such as half a change, wrong bytes, a wrong order or an unexpected response.
    """

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __str__(self) -> str:
        numbers = f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.wrong)} wrong"
        examples = [*self.lost[:10], *self.doubled[:10], *self.wrong[:10]]
        return "\n  ".join([numbers, *examples])

    def compare(self, what: str, expected: Iterable[Any], found: Iterable[Any]) -> None:
        """Add how a list that was found differs from the one that was acknowledged."""
        expected, found = list(map(repr, expected)), list(map(repr, found))
        missing, extra = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
        self.lost += [f"{what}: {item} is missing" for item in missing.elements()]
        self.doubled += [f"{what}: {item} is there without having been acknowledged" for item in extra.elements()]
        if not missing and not extra and expected != found:
            self.wrong.append(f"{what}: the order differs: {found} instead of {expected}"[:1000])

    def add(self, other: "Findings") -> None:
        self.lost += other.lost
        self.doubled += other.doubled
        self.wrong += other.wrong
