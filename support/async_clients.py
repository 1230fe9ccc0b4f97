"""What clients.py does for threads, for coroutines: one client per worker."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio
import httpx

from support import clients, interrupts

T = TypeVar('T')

clients.late_loaders.append(partial(anyio.run, anyio.sleep, 0))  # httpx runs on anyio


def new_client(url: str) -> httpx.AsyncClient:
    """Return a client of url and its like for one worker, which has to close it."""
    return httpx.AsyncClient(**clients.client_options(url))


async def get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """GET url, following redirects.

    Raise httpx.HTTPError if there is no complete response in time, and
    interrupts.StoppedError if the program has to stop.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task
    waiting = True

    def break_off() -> None:
        if waiting:  # otherwise a second call would cancel what the task does next
            task.cancel()

    try:
        async with asyncio.timeout(clients.DEADLINE):
            with interrupts.breakable(partial(loop.call_soon_threadsafe, break_off)):
                return await client.get(url)
    except TimeoutError:
        raise clients.timeout_error(url) from None
    finally:
        waiting = False


async def gather(*coroutines: Coroutine[Any, Any, T]) -> list[T]:
    """Do what asyncio.gather does, but when one fails, end the others before raising its error.

    Otherwise asyncio.run ends them, and prints what they raise meanwhile.
    """
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
