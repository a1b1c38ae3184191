"""Ends an event stream when the session that asked for it ends. Does not know why a session ends."""

from __future__ import annotations

import asyncio

from hashmark.web.server.asgi import App, Message, Receive, Scope, Send


def until_ended(app: App, ended: asyncio.Event) -> App:
    """Return an application that sees its client disconnect when `ended` is set; what it has sent is completed."""

    async def ending(scope: Scope, receive: Receive, send: Send) -> None:
        incomplete = False

        async def send_and_note(message: Message) -> None:
            nonlocal incomplete
            await send(message)
            incomplete = message["type"] == "http.response.start" or bool(message.get("more_body", False))

        await app(scope, _receive_until(receive, ended), send_and_note)
        if incomplete and ended.is_set():  # the server would report an incomplete response as an error
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return ending


def _receive_until(receive: Receive, ended: asyncio.Event) -> Receive:
    async def receive_until() -> Message:
        message, end = asyncio.ensure_future(receive()), asyncio.ensure_future(ended.wait())
        try:
            await asyncio.wait([message, end], return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            end.cancel()

    return receive_until
