"""Rows in versions, so that every transaction sees the rows as they were when it began.

Rows are kept in blocks of Arrow columns, each row with its id and the range of commits in which it is valid. A commit
adds a block; neighbouring blocks of similar size are merged, so that there are never many. An update ends one version
and adds another.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FOREVER = 2**62
"""The end of a version that is still valid."""

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(eq=False)
class Block:
    """Versions of rows: their columns, row ids, the first commit in which each is valid and the first in which not."""

    batch: pa.RecordBatch
    ids: Ids
    begin: Ids
    end: Ids

    @classmethod
    def new(cls, batch: pa.RecordBatch, ids: Ids) -> "Block":
        count = batch.num_rows
        return cls(batch, ids, np.zeros(count, np.int64), np.full(count, FOREVER))

    def filtered(self, mask: Mask) -> "Block":
        if mask.all():
            return self
        return Block(self.batch.filter(pa.array(mask)), self.ids[mask], self.begin[mask], self.end[mask])


@dataclass(eq=False)
class Rows:
    """The rows of a table.

    changed: by row id, the last commit that updated or deleted the row. writers: by row id, the open transaction that
    has updated or deleted it.
    """

    handle: int
    next_id: int = 0
    blocks: list[Block] = field(default_factory=list)
    changed: dict[int, int] = field(default_factory=dict)
    writers: dict[int, Any] = field(default_factory=dict)

    def new_ids(self, count: int) -> Ids:
        self.next_id += count
        return np.arange(self.next_id - count, self.next_id, dtype=np.int64)

    def visible(self, snapshot: int, changes: "Changes | None") -> Iterator[tuple[Block, Mask]]:
        """Each block with the mask of its rows that are visible after commit number `snapshot`, with these changes."""
        ended = np.fromiter(changes.ended, np.int64, len(changes.ended)) if changes and changes.ended else None
        for block in self.blocks:
            mask = (block.begin <= snapshot) & (block.end > snapshot)
            if ended is not None:
                mask &= ~np.isin(block.ids, ended)
            yield block, mask
        for block in changes.blocks if changes else ():
            yield block, block.end == FOREVER

    def commit(self, ended: Ids, added: list[Block], commit: int, oldest: int) -> None:
        """End the versions of the rows `ended` and add `added`, as commit number `commit`.

        oldest: the oldest commit that an open transaction still sees.
        """
        for block in self.blocks if len(ended) else ():
            block.end[np.isin(block.ids, ended) & (block.end == FOREVER)] = commit
        self.changed.update(dict.fromkeys(ended.tolist(), commit))
        for block in added:
            valid = block.filtered(block.end == FOREVER)
            valid.begin[:] = commit
            self.blocks.append(valid)
            self.next_id = max(self.next_id, int(valid.ids.max(initial=-1)) + 1)
        while len(self.blocks) > 1 and len(self.blocks[-2].ids) < 2 * len(self.blocks[-1].ids):
            pair = [block.filtered(block.end > oldest) for block in self.blocks[-2:]]
            self.blocks[-2:] = [_merge(pair)]


@dataclass(eq=False)
class Changes:
    """The uncommitted changes of one table: row ids of committed versions that were ended, and new versions."""

    ended: set[int] = field(default_factory=set)
    blocks: list[Block] = field(default_factory=list)


def _merge(blocks: list[Block]) -> Block:
    schema = max((block.batch.schema for block in blocks), key=len)
    batch = pa.concat_batches([with_columns(block.batch, schema) for block in blocks])
    joined = [np.concatenate([getattr(block, name) for block in blocks]) for name in ("ids", "begin", "end")]
    return Block(batch, *joined)


def with_columns(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """`batch` with the columns of `schema`, null where the batch is older than a column."""
    if batch.schema.names == schema.names:
        return batch
    known = set(batch.schema.names)
    columns = [batch[f.name] if f.name in known else pa.nulls(batch.num_rows, f.type) for f in schema]
    return pa.record_batch(columns, schema=pa.schema([f.with_nullable(True) for f in schema]))
