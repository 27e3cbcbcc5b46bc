"""Reads the catalogue of a server as directly as possible: the same SQL, the same documents, the same signatures."""

import base64
import hmac
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

import orjson

_URL_LIFETIME_S = 3600 + 60
_SHARED_S = 60


class Catalogue:
    """The SQLite file of a server that is running. base_url: in the URLs of media."""

    def __init__(self, file: str, base_url: str) -> None:
        self._connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, check_same_thread=False)
        self._base_url = base_url
        service = dict(self._connection.execute("SELECT key, value FROM service"))
        secret = bytes.fromhex(orjson.loads(service["media_url_secret"]))
        self._keyed = hmac.new(hmac.digest(secret, b"tams media urls", "sha256"), digestmod="sha256")

    def segments(self, flow_id: str, limit: int) -> tuple[bytes, dict[str, str]]:
        """The first page of a flow's segments, with one presigned URL each: the body, and the headers of the page."""
        execute = self._connection.execute
        execute("BEGIN")
        flow = execute("SELECT content_start, content_end FROM flows WHERE id = ?", (flow_id,)).fetchone()
        assert flow is not None
        rows = execute(
            "SELECT start_ns, timerange, object_id, init_object_id, doc FROM segments WHERE flow_id = ? "
            "ORDER BY start_ns LIMIT ?",
            (flow_id, limit + 1),
        ).fetchall()
        more = len(rows) > limit
        del rows[limit:]
        ids = list({row[2] for row in rows})
        urls: dict[str, list[dict[str, Any]]] = {object_id: [] for object_id in ids}
        marks = ", ".join("?" * len(ids))
        for object_id, storage_id, extension in execute(
            f"SELECT object_id, storage_id, extension FROM instances WHERE object_id IN ({marks}) "
            "ORDER BY object_id, instance",
            ids,
        ):
            urls[object_id].append(self._get_url(object_id, storage_id, extension))
        execute("COMMIT")
        items = [_segment(timerange, object_id, doc, urls) for _, timerange, object_id, _, doc in rows]
        headers = {"X-Paging-Limit": str(limit), "X-Paging-Count": str(len(items)), "X-Paging-Reverse-Order": "false"}
        if rows:
            start, end = rows[0][1].partition("_")[0], rows[-1][1].partition("_")[2]
            headers["X-Paging-Timerange"] = f"{start}_{end}"
        if more:
            key = base64.urlsafe_b64encode(orjson.dumps([rows[-1][0]])).decode()
            headers["X-Paging-NextKey"] = key
            headers["Link"] = f'<{self._base_url}/flows/{flow_id}/segments?limit={limit}&page={key}>; rel="next"'
        return orjson.dumps(items), headers

    def flows(self, limit: int) -> tuple[bytes, dict[str, str]]:
        """The first page of the listing of flows: the body, and the headers of the page."""
        execute = self._connection.execute
        execute("BEGIN")
        rows = execute(
            "SELECT id, created, segments_updated, doc FROM flows ORDER BY created DESC, id DESC LIMIT ?", (limit + 1,)
        ).fetchall()
        more = len(rows) > limit
        del rows[limit:]
        marks = ", ".join("?" * len(rows))
        collectors: dict[str, list[str]] = {}
        for member, collector in execute(
            f"SELECT member_id, collector_id FROM collections WHERE member_id IN ({marks})", [row[0] for row in rows]
        ):
            collectors.setdefault(member, []).append(collector)
        execute("COMMIT")
        items = []
        for flow_id, created, updated, doc in rows:
            item = {**orjson.loads(doc), "created": _moment(created - created % 1_000_000, "seconds")}
            if flow_id in collectors:
                item["collected_by"] = collectors[flow_id]
            if updated is not None:
                item["segments_updated"] = _moment(updated, "microseconds")
            items.append(item)
        headers = {"X-Paging-Limit": str(limit), "X-Paging-Count": str(len(items)), "X-Paging-Reverse-Order": "false"}
        if more:
            key = base64.urlsafe_b64encode(orjson.dumps([rows[-1][1], rows[-1][0]])).decode()
            headers["X-Paging-NextKey"] = key
            headers["Link"] = f'<{self._base_url}/flows?limit={limit}&page={key}>; rel="next"'
        return orjson.dumps(items), headers

    def _get_url(self, object_id: str, storage_id: str, extension: str | None) -> dict[str, Any]:
        path = f"/media/{storage_id}/{object_id}"
        expires = -(-(int(time.time()) + _URL_LIFETIME_S) // _SHARED_S) * _SHARED_S
        keyed = self._keyed.copy()
        keyed.update(f"GET\n{path}\n{expires}\n".encode())
        signature = base64.urlsafe_b64encode(keyed.digest()[:16]).rstrip(b"=").decode()
        url = f"{self._base_url}{path}{extension or ''}?exp={expires}&sig={signature}"
        return {"url": url, "presigned": True, "label": "default"}


def _segment(timerange: str, object_id: str, doc: str, urls: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    item = {"object_id": object_id, "timerange": timerange, **orjson.loads(doc)}
    del item["object_timerange"]
    item["get_urls"] = urls[object_id]
    return item


def _moment(microseconds: int, precision: str) -> str:
    moment = datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000)
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
