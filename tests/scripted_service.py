"""A service that holds the conversation that a test wants, for the clients of streams."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from sensor_sim.wire import SUBPROTOCOL

Conversation = Callable[[ServerConnection], Awaitable[None]]
"""The service's part of one connection."""


@asynccontextmanager
async def scripted_service(converse: Conversation) -> AsyncIterator[str]:
    """Address of a service on the loopback that holds this conversation on every connection."""
    async with serve(converse, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
