#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with coroutines.

    $ python3 flags_asyncio.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.11s

One thread runs all coroutines: while one waits, others run.
"""

import asyncio

import flags
from support import clients


async def get_flag(client: clients.AsyncClient, cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    cc = cc.lower()
    url = f'{flags.BASE_URL}/{cc}/{cc}.gif'
    resp = await client.get(url, timeout=6.1, follow_redirects=True)
    resp.raise_for_status()
    return resp.content


async def download_one(client: clients.AsyncClient, cc: str) -> str:
    """Download and save one flag; return its code."""
    image = await get_flag(client, cc)
    flags.save_flag(image, f'{cc}.gif')
    print(cc, end=' ', flush=True)
    return cc


async def supervisor(cc_list: list[str]) -> int:
    """Download and save all flags at the same time; return their number."""
    async with clients.AsyncClient() as client, asyncio.TaskGroup() as group:
        to_do = [group.create_task(download_one(client, cc)) for cc in sorted(cc_list)]
    res = [task.result() for task in to_do]
    return len(res)


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags in an event loop; return their number."""
    return asyncio.run(supervisor(cc_list))


if __name__ == '__main__':
    flags.main(download_many)
