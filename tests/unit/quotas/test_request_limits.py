"""Rates and numbers of requests, by caller and address."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from handlers.shared.call import Result
from tests.unit.conftest import TOKEN, Client


def get(client: Client, token: str = TOKEN) -> httpx.Response:
    return client.without_credentials("GET", "/flows", headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def limited(make_client: Callable[..., Client]) -> Callable[..., Client]:
    def make(**settings: Any) -> Client:
        client = make_client(**settings)
        client.stub.result = Result(200, [])
        return client

    return make


def test_callers_are_limited_apart(limited: Callable[..., Client]) -> None:
    client = limited(rate_limit=2)
    other = client.app.process.parts.catalog.credentials.add_token("other", ["read"])
    first, second, third = get(client), get(client), get(client)
    assert [first.status_code, second.status_code, third.status_code] == [200, 200, 429]
    assert first.headers["RateLimit-Policy"] == '"caller";q=2;w=1'
    assert first.headers["RateLimit"] == '"caller";r=1;t=1'
    assert third.headers["RateLimit"] == '"caller";r=0;t=1'
    assert third.headers["Retry-After"] == "1"
    assert third.json()["code"] == "rate.exceeded"
    assert get(client, other).status_code == 200
    assert client.without_credentials("GET", "/healthz").status_code == 200


def test_requests_that_are_rejected_count(limited: Callable[..., Client]) -> None:
    client = limited(rate_limit=2)
    assert [client.get("/nowhere").status_code for _ in range(3)] == [404, 404, 429]


def test_addresses_are_limited_before_credentials_are_known(limited: Callable[..., Client]) -> None:
    client = limited(rate_limit_per_address=2)
    assert [get(client, "wrong").status_code for _ in range(3)] == [401, 401, 429]


def test_requests_at_a_time_are_limited(limited: Callable[..., Client]) -> None:
    client = limited(concurrent_requests=2)
    transport = httpx.ASGITransport(client.app)

    async def send_many() -> list[httpx.Response]:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://a", headers=headers) as http:
            begun = asyncio.Event()

            async def body() -> Any:
                await begun.wait()
                yield b"{}"

            slow = [asyncio.create_task(http.post("/service", content=body())) for _ in range(2)]
            await asyncio.sleep(0.2)
            rejected = await http.get("/flows")
            begun.set()
            await asyncio.gather(*slow)
            return [rejected, await http.get("/flows")]

    rejected, permitted = client.run(send_many())
    assert [rejected.status_code, permitted.status_code] == [429, 200]
    assert rejected.headers["RateLimit-Policy"] == '"concurrent";q=2;qu="concurrent-requests"'
    assert rejected.headers["RateLimit"] == '"concurrent";r=0'
    assert rejected.headers["Retry-After"] == "1"


def test_nothing_is_limited_or_told_by_default(limited: Callable[..., Client]) -> None:
    client = limited()
    responses = [get(client) for _ in range(50)]
    assert {response.status_code for response in responses} == {200}
    assert not any("RateLimit" in response.headers for response in responses)
