"""F23: counts of requests that broke the schemas, on every engine."""

import threading
from datetime import date

from storage.catalog import Catalog, Limits
from storage.catalog.paging import PageRequest
from storage.catalog.violations import (
    DAY_ROWS,
    PRINCIPAL_ROWS,
    Seen,
    Violation,
    ViolationFilter,
    day_of,
    others,
)
from storage.tables.engine import Engine

DAY_US = 86_400 * 1_000_000
DAY = 20_000
NOW = DAY * DAY_US + 5
PUT = Violation("rejected", "PUT_flows-flowId", "#/components/schemas/flow-common/required", "ann")
GET = Violation("rejected", "GET_flows", "#/paths/~1flows/get/parameters/limit/schema/minimum", "bob")


def catalog_of(engine: Engine, **limits: int) -> Catalog:
    return Catalog(engine, {}, Limits(**limits), lambda: NOW)


def counts(catalog: Catalog, **filters: object) -> list[tuple[str, str, str, int]]:
    found = catalog.violations.each(ViolationFilter(**filters))  # type: ignore[arg-type]
    return [(each["day"], each["operation"], each["client"], each["requests"]) for each in found]


def test_counts_of_several_processes_are_added_up(engine: Engine) -> None:
    catalog = catalog_of(engine)
    first, last = NOW + 10, NOW + 90

    def add(at: int) -> None:
        catalog.violations.add({(DAY, PUT): Seen(2, at, at), (DAY - 1, GET): Seen(1, at - DAY_US, at - DAY_US)})

    threads = [threading.Thread(target=add, args=(at,)) for at in (last, first)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    put, get = catalog.violations.each(ViolationFilter())
    assert put == {
        "day": "2024-10-04",
        "outcome": "rejected",
        "operation": "PUT_flows-flowId",
        "schema_path": PUT.schema_path,
        "client": "ann",
        "requests": 4,
        "first": "2024-10-04T00:00:00.000015Z",
        "last": "2024-10-04T00:00:00.000095Z",
    }
    assert (get["day"], get["requests"]) == ("2024-10-03", 2)


def test_counts_are_filtered_and_paged(engine: Engine) -> None:
    catalog = catalog_of(engine)
    seen = Seen(1, NOW, NOW)
    of_days = {(DAY - number, GET): seen for number in range(3)}
    catalog.violations.add({**of_days, (DAY, PUT): seen})
    assert counts(catalog, principal="ann") == [("2024-10-04", "PUT_flows-flowId", "ann", 1)]
    assert counts(catalog, operation="GET_flows", since=date(2024, 10, 3), until=date(2024, 10, 3)) == [
        ("2024-10-03", "GET_flows", "bob", 1)
    ]
    assert counts(catalog, schema_path="#/nothing") == []
    pages, key = [], None
    while True:
        page = catalog.violations.page(ViolationFilter(outcome="rejected"), PageRequest(3, key))
        pages.append([item["day"] for item in page.items])
        key = page.next_key
        if key is None:
            break
    assert pages == [["2024-10-04", "2024-10-04", "2024-10-03"], ["2024-10-02"]]


def test_neither_a_principal_nor_a_day_has_more_rows_than_permitted(engine: Engine) -> None:
    catalog = catalog_of(engine)
    seen = Seen(1, NOW, NOW)
    names = [f"client {number}" for number in range(DAY_ROWS // PRINCIPAL_ROWS + 1)]
    for name in names:
        paths = (f"#/{number}" for number in range(PRINCIPAL_ROWS + 10))
        catalog.violations.add({(DAY, Violation("rejected", "o", path, name)): seen for path in paths})
    with engine.read() as tx:
        rows = tx.select("violations")
    assert len(rows) <= DAY_ROWS + 1
    assert sum(row["requests"] for row in rows) == len(names) * (PRINCIPAL_ROWS + 10)
    assert max(sum(row["principal"] == name for row in rows) for name in names) == PRINCIPAL_ROWS
    [rest] = [row["requests"] for row in rows if row["operation"] == others("rejected").operation]
    assert rest == len(names) * (PRINCIPAL_ROWS + 10) - (len(rows) - 1)
    catalog.violations.add({(DAY, Violation("rejected", "o", "#/0", "client 0")): seen})
    assert counts(catalog, schema_path="#/0", principal="client 0")[0][3] == 2


def test_what_has_a_row_already_takes_no_room_from_others(engine: Engine) -> None:
    catalog = catalog_of(engine)
    seen = Seen(1, NOW, NOW)
    names = [f"client {number}" for number in range(DAY_ROWS // PRINCIPAL_ROWS)]

    def add(paths: int) -> None:
        each = [Violation("rejected", "o", f"#/{number}", name) for name in names for number in range(paths)]
        catalog.violations.add({(DAY, what): seen for what in each})

    add(PRINCIPAL_ROWS * 3 // 5)
    add(PRINCIPAL_ROWS)
    with engine.read() as tx:
        rows = tx.select("violations")
    assert len(rows) == DAY_ROWS
    assert {row["operation"] for row in rows} == {"o"}


def test_counts_of_old_days_are_removed(engine: Engine) -> None:
    catalog = catalog_of(engine, violation_days=2)
    seen = Seen(1, NOW, NOW)
    catalog.violations.add({(DAY - number, GET): seen for number in range(5)})
    assert day_of(NOW) == DAY
    assert catalog.violations.remove_expired(NOW)
    assert not catalog.violations.remove_expired(NOW)
    assert [day for day, *_ in counts(catalog)] == ["2024-10-04", "2024-10-03", "2024-10-02"]
