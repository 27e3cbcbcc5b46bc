"""A catalogue of flows with classes, of which two callers with fifty groups each may read half and a fiftieth."""

from collections.abc import Mapping

from tests.benchmarks.flow_seeding import Api
from tests.benchmarks.seeding import Seeder, uuid_text
from tests.conformance.kit.documents import flow

_GROUPS = 50
_KIND = 30
_PARTS = {"half": ("h", 2 * _GROUPS), "2 %": ("f", 50 * _GROUPS)}
"""Of each caller: how the names of classes begin, and how many there are. Every flow has one of them."""
READERS: Mapping[str, list[str]] = {
    part: [f"{start}{number}_read" for number in range(_GROUPS)] for part, (start, _) in _PARTS.items()
}
"""The groups of each caller, by the part of the flows that it may read."""


def create(api: Api) -> None:
    """Make the flow that `fill` copies."""
    classes = [groups[0] for groups in READERS.values()]
    document = flow(id=_flow_id(0), source_id=_source_id(0), label="original", tags={"auth_classes": classes})
    api.send("PUT", f"/flows/{document['id']}", document)


def fill(seeder: Seeder, flows: int) -> None:
    """Copy the flow, its source and its classes until there are so many of each."""
    numbers = range(1, flows)
    [(created,)] = seeder.execute("SELECT MAX(created) FROM flows")
    times = dict.fromkeys(("created", "updated", "metadata_updated"), f"{created} + n")
    ids = {"flow": (_flow_id(0), seeder.uuid(_KIND)), "source": (_source_id(0), seeder.uuid(_KIND + 1))}
    names = {f"{start}0_read": f"'{start}' || CAST(n % {count} AS text) || '_read'" for start, count in _PARTS.values()}
    document = seeder.text("t.doc")
    for old, new in (*ids.values(), *names.items()):
        document = f"replace({document}, '{old}', {new})"
    for kind, (old, new) in ids.items():
        changed = {**times, "id": new, "source_id": ids["source"][1], "doc": seeder.json(document)}
        seeder.copy(f"{kind}s", f"t.id = '{old}'", numbers, changed)
        for name, expression in names.items():
            for table, column in (("tags", "value"), ("classes", "name")):
                where = f"t.kind = '{kind}' AND t.owner_id = '{old}' AND t.{column} = '{name}'"
                seeder.copy(table, where, numbers, {**times, "owner_id": new, column: expression})


def _flow_id(number: int) -> str:
    return uuid_text(_KIND, number)


def _source_id(number: int) -> str:
    return uuid_text(_KIND + 1, number)
