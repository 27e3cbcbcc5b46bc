"""Compliance: how many requests broke the published schemas."""

from datetime import date

from handlers.shared.call import Call, Result
from handlers.shared.paging import page_request, page_result
from storage import error_codes
from storage.catalog.violations import ViolationFilter, parse_day
from storage.errors import Invalid


def get_compliance(call: Call) -> Result:
    query = call.query
    filters = ViolationFilter(
        since=_day(call, "from"),
        until=_day(call, "to"),
        outcome=query.get("outcome"),
        operation=query.get("operation"),
        schema_path=query.get("schema_path"),
        principal=query.get("client"),
    )
    return page_result(call, call.catalog.violations.page(filters, page_request(call)))


def _day(call: Call, name: str) -> date | None:
    text = call.query.get(name)
    try:
        return None if text is None else parse_day(text)
    except ValueError:
        raise Invalid(
            f"query parameter {name}: {text!r} must be a day such as 2026-11-29",
            code=error_codes.COMPLIANCE_DAY,
            field=name,
        ) from None
