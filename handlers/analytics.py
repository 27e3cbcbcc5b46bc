"""Analytics: SQL over what the caller may see of the catalogue."""

from handlers.shared.call import Call, Encoded, Result
from handlers.shared.media_types import preferred
from storage import error_codes
from storage.analytics.process import Answer
from storage.analytics.request import Format
from storage.errors import Invalid

_MEDIA_TYPES: dict[str, Format] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
}
_PARAMETERS = ("hours", "minutes", "days")


def get_analytics(call: Call) -> Result:
    return Result(200, call.catalog.analytics.describe())


def get_analytics_views_view(call: Call) -> Result:
    media_type = preferred(call.accept, tuple(_MEDIA_TYPES))
    analytics = call.catalog.analytics
    answer = analytics.view(call.caller, call.path["view"], call.query.get("limit"), _MEDIA_TYPES[media_type])
    return _result(answer, media_type)


def get_analytics_questions_question(call: Call) -> Result:
    media_type = preferred(call.accept, tuple(_MEDIA_TYPES))
    values = {name: call.query[name] for name in _PARAMETERS if name in call.query}
    analytics = call.catalog.analytics
    answer = analytics.question(
        call.caller, call.path["question"], values, call.query.get("limit"), _MEDIA_TYPES[media_type]
    )
    return _result(answer, media_type)


def get_analytics_sql(call: Call) -> Result:
    if "sql" not in call.query:
        raise Invalid(
            "query parameter sql: must be given", code=error_codes.ANALYTICS_SQL, field="sql", behaviour="A90"
        )
    media_type = preferred(call.accept, tuple(_MEDIA_TYPES))
    analytics = call.catalog.analytics
    answer = analytics.sql(call.caller, call.query["sql"], call.query.get("limit"), _MEDIA_TYPES[media_type])
    return _result(answer, media_type)


def _result(answer: Answer, media_type: str) -> Result:
    charset = "; charset=utf-8; header=present" if media_type == "text/csv" else ""
    headers = {"X-Truncated": "true" if answer.truncated else "false", "Vary": "Accept"}
    return Result(200, Encoded(answer.body, f"{media_type}{charset}"), headers)
