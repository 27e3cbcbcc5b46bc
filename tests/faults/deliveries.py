"""Sends deliveries with a Sender of their own, for tests."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from tams_server.outbound.address_rules import AddressRules
from tams_server.outbound.delivery_outcome import Outcome
from tams_server.outbound.sender import Sender

LOOPBACK = ("127.0.0.0/8",)
SECRET = "Bearer s3cr3t-value"
HEADERS = {"Content-Type": "application/json", "Authorization": SECRET}
BODY = b'{"event_type": "flows/created"}'
PUBLIC = "93.184.215.14"


def loopback_rules() -> AddressRules:
    return AddressRules(LOOPBACK)


def run(
    work: Callable[[Sender], Awaitable[Outcome]], rules: AddressRules | None = None, tls: ssl.SSLContext | None = None
) -> Outcome:
    return run_all(lambda sender: _one(work(sender)), rules, tls)[0]


async def _one(work: Awaitable[Outcome]) -> list[Outcome]:
    return [await work]


def run_all(
    work: Callable[[Sender], Awaitable[list[Outcome]]],
    rules: AddressRules | None = None,
    tls: ssl.SSLContext | None = None,
    connections: int = 256,
) -> list[Outcome]:
    async def main() -> list[Outcome]:
        sender = Sender(rules or loopback_rules(), connections=connections, ssl_context=tls)
        try:
            return await work(sender)
        finally:
            await sender.aclose()

    return asyncio.run(main())


def post(
    url: str, *, timeout_s: float = 10.0, rules: AddressRules | None = None, tls: ssl.SSLContext | None = None
) -> Outcome:
    return run(lambda sender: sender.post(url, HEADERS, BODY, timeout_s=timeout_s), rules, tls)
