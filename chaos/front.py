"""A TCP front on loopback: shares connections out among backends, and can be made to fail.

It stands before the two workers, since a queue's task knows one address only, and before Postgres,
where it plays what a network does: refuse, hold up, cut.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""

_CHUNK = 1 << 16
_ANSWER_WITHIN_S = 10
_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Front:
    """Listens until closed, in a thread of its own."""

    def __init__(self, port: int, backends: Sequence[Address]) -> None:
        self.port = port
        self._backends = tuple(backends)
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="front", daemon=True)
        self._thread.start()
        self._do(self._listen)
        self._call(self._flowing.set)

    def refuse(self) -> None:
        """Listen no more and cut what is open, as a server that is not there."""
        self._do(self._stop_listening)
        self.cut()

    def hold_up(self) -> None:
        """Take connections and bytes, and pass nothing on, as a network that loses packets."""
        self._call(self._flowing.clear)

    def cut(self) -> None:
        """Break every connection; new ones are welcome."""
        self._call(self._abort_all)

    def heal(self) -> None:
        """Pass everything on again."""
        self._call(self._flowing.set)
        self._do(self._listen)

    def close(self) -> None:
        """Stop, for good."""
        self.refuse()
        self._do(self._end_tasks)
        self._call(self._loop.stop)
        self._thread.join(_ANSWER_WITHIN_S)
        self._loop.close()

    def _do(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(work(), self._loop).result(_ANSWER_WITHIN_S)

    def _call(self, work: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(work)

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _end_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _abort_all(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._flowing.wait()
            backend = await self._connect()
            if backend is None:
                writer.transport.abort()
                return
            self._open.add(backend[1])
            try:
                await asyncio.gather(self._pump(reader, backend[1]), self._pump(backend[0], writer))
            finally:
                self._open.discard(backend[1])
                backend[1].transport.abort()
        except asyncio.CancelledError:
            pass  # the front is being closed
        finally:
            self._open.discard(writer)
            writer.close()

    async def _connect(self) -> _Stream | None:
        """Connect to the backend whose turn it is, or the next one that is there."""
        self._turn += 1
        for number in range(len(self._backends)):
            address = self._backends[(self._turn + number) % len(self._backends)]
            with suppress(OSError):
                if isinstance(address, str):
                    return await asyncio.open_unix_connection(address)
                return await asyncio.open_connection(*address)
        return None

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(_CHUNK):
                await self._flowing.wait()
                sink.write(chunk)
                await sink.drain()
        with suppress(OSError, RuntimeError):
            sink.write_eof()
