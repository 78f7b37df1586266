"""A stream as plain ASGI, for any server and for tests: messages in, decisions out.

Our own server does not use this module: `server.stream.connection` costs a fraction.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sensor_sim.wire import SUBPROTOCOL
from server.errors import ServiceError
from server.http.problem import problem
from server.stream.conversation import Conversation, Ending
from server.stream.streams import Streams, stream_name
from server.stream.upgrade import STREAM_HEADER, wrong_subprotocol


class StreamEndpoint:
    """The ASGI application behind `/v1/stream`.

    Args:
        streams: parts that the streams of the process share.
    """

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one stream from upgrade to close."""
        streams, websocket, name = self._streams, WebSocket(scope, receive, send), stream_name()
        address = scope["client"][0] if scope.get("client") else ""
        shell = _Shell(receive, send)
        try:
            if SUBPROTOCOL not in scope["subprotocols"]:
                raise wrong_subprotocol()
            conversation = streams.begin(name, address, shell)
        except ServiceError as refusal:
            streams.refused(refusal, address)
            await websocket.send_denial_response(problem(refusal))
            return
        shell.conversation = conversation
        try:
            await websocket.accept(SUBPROTOCOL, [(STREAM_HEADER.encode(), name.encode())])
            await shell.serve()
        except OSError:
            conversation.end(Ending("client_left", None))
        except asyncio.CancelledError:
            conversation.end(Ending("drain", None))
            raise
        finally:
            streams.finish(conversation)


class _Shell:
    """Carries a conversation out with ASGI's `receive` and `send`."""

    conversation: Conversation

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._outbox: list[bytes] = []
        self._wake = asyncio.get_running_loop().create_future()

    def leave(self, reason: str, seconds: float) -> None:
        """Asks the conversation to leave; its texts are sent after the texts that are being sent."""
        self._outbox += self.conversation.leave(reason, seconds)
        if not self._wake.done():
            self._wake.set_result(None)

    async def serve(self) -> None:
        """Serves the stream until it has ended."""
        conversation = self.conversation
        event: asyncio.Future[Any] | None = None
        try:
            while conversation.ending is None:
                event = event or asyncio.ensure_future(self._receive())
                await self._wait(event)
                conversation.begin_turn()
                if event.done():
                    await self._take(event.result())
                    event = None
                self._outbox += conversation.tick()
                await self._deliver()
            await self._deliver()
            if conversation.ending.close_code is not None:
                code, reason = conversation.ending.close_code, conversation.ending.close_reason
                await self._taken(self._send({"type": "websocket.close", "code": code, "reason": reason}))
        finally:
            if event is not None:
                event.cancel()

    async def _take(self, event: Any) -> None:
        conversation = self.conversation
        if event["type"] == "websocket.disconnect":
            conversation.end(Ending("client_left", None))
            return
        data = event.get("bytes")
        self._outbox += conversation.receive(data if data is not None else event["text"])
        while conversation.ending is None and (conversation.turn_over or conversation.busy):
            await self._deliver()
            await asyncio.sleep(0)
            conversation.begin_turn(yielded=True)
            self._outbox += conversation.work()

    async def _deliver(self) -> None:
        while self._outbox:
            texts, self._outbox = self._outbox, []
            await self._taken(self._send_all(texts))

    async def _send_all(self, texts: list[bytes]) -> None:
        for text in texts:
            await self._send({"type": "websocket.send", "text": text.decode()})

    async def _taken(self, sending: Any) -> None:
        """Waits until all texts are sent, or the client is given up."""
        conversation, sent = self.conversation, asyncio.ensure_future(sending)
        conversation.pause()
        try:
            while not sent.done() and (conversation.ending is None or conversation.ending.close_code is not None):
                await self._wait(sent)
                self._outbox += conversation.tick()
            if sent.done():
                sent.result()
                conversation.resume()
        finally:
            sent.cancel()

    async def _wait(self, future: asyncio.Future[Any]) -> None:
        """Waits until the future is done, a deadline has come, or the stream is asked to leave."""
        if self._wake.done():
            self._wake = asyncio.get_running_loop().create_future()
        await asyncio.wait({future, self._wake}, timeout=self.conversation.wait_s, return_when=asyncio.FIRST_COMPLETED)
