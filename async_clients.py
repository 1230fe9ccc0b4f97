"""What clients.py does for threads, for coroutines: one client per worker."""

import asyncio
from functools import partial

import httpx

import clients
import interrupts


def new_client() -> httpx.AsyncClient:
    """Return a client for one worker, which has to close it."""
    return httpx.AsyncClient(**clients.client_options())


async def get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    """GET url, following redirects.

    Raise httpx.HTTPError if there is no complete response in time, and
    interrupts.StoppedError if the program has to stop.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task
    try:
        async with asyncio.timeout(clients.DEADLINE):
            with interrupts.breakable(partial(loop.call_soon_threadsafe, task.cancel)):
                return await client.get(url)
    except TimeoutError:
        raise clients.timeout_error(url) from None
