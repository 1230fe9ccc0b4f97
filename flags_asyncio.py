#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with coroutines.

    $ python3 flags_asyncio.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.11s

One thread does it all: each coroutine lets others run while it waits.
"""

import asyncio

import flags
from support import async_clients, clients
from support.console import say


async def get_flag(cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    async with async_clients.new_client(flags.BASE_URL) as client:
        response = await async_clients.get(client, flags.flag_url(flags.BASE_URL, cc))
    return clients.content(response)


async def download_one(cc: str) -> str:
    """Download and save one flag; return its code."""
    image = await get_flag(cc)
    flags.save_flag(image, f'{cc}.gif')
    say(cc, end=' ')
    return cc


async def download_all(cc_list: list[str]) -> int:
    """Download and save the flags, all at a time; return how many."""
    codes = await async_clients.gather(*map(download_one, sorted(cc_list)))
    return len(codes)


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags in an event loop of their own; return how many."""
    return asyncio.run(download_all(cc_list))


if __name__ == '__main__':
    flags.main(download_many)
