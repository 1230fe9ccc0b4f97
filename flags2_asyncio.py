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
from http import HTTPStatus

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main, note_error, save_flag
from support import clients
from support.console import reason

DEFAULT_CONCUR_REQ = 30
MAX_CONCUR_REQ = 1000


async def get_flag(client: clients.AsyncClient, base_url: str, cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    cc = cc.lower()
    url = f'{base_url}/{cc}/{cc}.gif'
    resp = await client.get(url, timeout=6.1, follow_redirects=True)
    resp.raise_for_status()
    return resp.content


async def download_one(
    client: clients.AsyncClient, cc: str, base_url: str, verbose: bool
) -> DownloadStatus:
    """Download and save one flag, if it exists; raise httpx.HTTPError for other failures."""
    try:
        image = await get_flag(client, base_url, cc)
    except httpx.HTTPStatusError as exc:
        if exc.response.status_code != HTTPStatus.NOT_FOUND:
            raise
        status = DownloadStatus.NOT_FOUND
        msg = f'not found: {exc.response.url}'
    else:
        save_flag(image, f'{cc}.gif')
        status = DownloadStatus.OK
        msg = 'OK'
    if verbose:
        print(cc, msg, flush=True)
    return status


async def supervisor(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags with concur_req workers, each with a client of its own."""
    counter: Counter[DownloadStatus] = Counter()
    cc_iter = iter(sorted(cc_list))

    async def worker() -> None:
        async with clients.AsyncClient(base_url) as client:
            for cc in cc_iter:
                try:
                    status = await download_one(client, cc, base_url, verbose)
                except httpx.HTTPStatusError as exc:
                    resp = exc.response
                    error_msg = f'HTTP error {resp.status_code} - {resp.reason_phrase}'
                except Exception as exc:  # of the network, or of the disk
                    error_msg = reason(exc)
                else:
                    error_msg = ''

                if error_msg:
                    status = DownloadStatus.ERROR
                    note_error(cc, error_msg)
                counter[status] += 1
                if verbose and error_msg:
                    print(f'{cc} error: {error_msg}', flush=True)
                bar.update()

    with tqdm(total=len(cc_list), disable=verbose) as bar:
        async with asyncio.TaskGroup() as group:
            for _ in range(concur_req):
                group.create_task(worker())
    return counter


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags in an event loop; return how many ended how."""
    return asyncio.run(supervisor(cc_list, base_url, verbose, concur_req))


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
