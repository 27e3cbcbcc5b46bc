"""The get_urls of a page of segments, and how many of the segments they leave room for."""

from collections.abc import Sequence

from storage.catalog.environment import Environment
from storage.catalog.objects.get_urls import GetUrl, GetUrlFilter, read_get_urls
from storage.catalog.paging import PAGE_BYTES
from storage.tables.rows import SegmentRow
from storage.tables.transaction import ByteBudget, Reader


def read_page_urls(
    tx: Reader, env: Environment, rows: Sequence[SegmentRow], filters: GetUrlFilter, base_url: str
) -> tuple[int, dict[str, list[GetUrl]]]:
    """The number of segments whose get_urls have no more than PAGE_BYTES together, at least one; and these get_urls.

    Where uncontrolled URLs are long and many, fewer segments are tried, so that what is read stays within the same
    bound. base_url: as for `read_get_urls`.
    """
    urls: dict[str, list[GetUrl]] = {}
    count, left = 0, PAGE_BYTES
    step = min(len(rows), tx.max_fetched or len(rows))
    while count < len(rows) and step:
        part = rows[count : count + step]
        object_ids = {id_ for row in part for id_ in (row["object_id"], row["init_object_id"]) if id_ is not None}
        budget = None if len(part) == 1 and not count else ByteBudget(left)
        found = read_get_urls(tx, env, object_ids - urls.keys(), filters, base_url, budget)
        if budget is not None and budget.is_spent:
            step = len(part) // 2
            continue
        urls |= found
        count += len(part)
        if budget is not None:
            left = budget.max_bytes - budget.used
        step = len(rows) - count if step == tx.max_fetched else step
    return count, urls
