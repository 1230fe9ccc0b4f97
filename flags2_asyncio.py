#!/usr/bin/env python3
"""Download flags with coroutines, with a progress bar and error handling.

    $ python3 flags2_asyncio.py -s ERROR -al 100 -m 100
    ERROR site: http://localhost:8002/flags
    Searching for 100 flags: from AD to LK
    100 concurrent connections will be used.
    --------------------
    73 flags downloaded.
    27 errors.
    Elapsed time: 5.21s

The workers are coroutines that take their codes from one iterator: as no two of them run
at the same time, it needs no lock.
"""

import asyncio
from collections import Counter

import httpx

from flags import flag_url
from flags2_common import DownloadStatus, Tally, main, not_found, saved
from support import async_clients, clients

DEFAULT_CONCUR_REQ = 30
MAX_CONCUR_REQ = 1000


async def get_flag(client: httpx.AsyncClient, base_url: str, cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    return clients.content(await async_clients.get(client, flag_url(base_url, cc)))


async def download_one(
    client: httpx.AsyncClient, cc: str, base_url: str, verbose: bool = False
) -> DownloadStatus:
    """Download and save one flag, if it exists; raise httpx.HTTPError for other failures."""
    try:
        image = await get_flag(client, base_url, cc)
    except httpx.HTTPStatusError as exc:
        return not_found(cc, exc, verbose)
    return saved(cc, image, verbose)


async def download_all(
    tally: Tally, cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> None:
    """Download the flags with concur_req workers, each with a client of its own."""
    codes = iter(sorted(cc_list))

    async def worker() -> None:
        async with async_clients.new_client(base_url) as client:
            for cc in codes:
                with tally.errors_of(cc):
                    tally.count(await download_one(client, cc, base_url, verbose))
                tally.advance()

    async with asyncio.TaskGroup() as workers:
        for _ in range(concur_req):
            workers.create_task(worker())


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags in an event loop of their own; return how many ended how."""
    with Tally(cc_list, verbose) as tally:
        asyncio.run(download_all(tally, cc_list, base_url, verbose, concur_req))
    return tally.counter


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
