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

All coroutines start at once; a semaphore limits how many requests are in flight.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from http import HTTPStatus

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, code_of, main, record_error, save_flag
from support import clients
from support.console import description

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
    client: clients.AsyncClient,
    cc: str,
    base_url: str,
    semaphore: asyncio.Semaphore,
    verbose: bool,
) -> DownloadStatus:
    """Download and save one flag, if it exists; raise httpx.HTTPError for other failures."""
    try:
        async with semaphore:
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
    """Download the flags, concur_req at a time; return how many ended with each status."""
    counter: Counter[DownloadStatus] = Counter()
    semaphore = asyncio.Semaphore(concur_req)
    async with clients.AsyncClient() as client:
        to_do = [download_one(client, cc, base_url, semaphore, verbose) for cc in sorted(cc_list)]
        to_do_iter: Iterable[Awaitable[DownloadStatus]] = asyncio.as_completed(to_do)
        if not verbose:
            to_do_iter = tqdm(to_do_iter, total=len(cc_list))
        for coro in to_do_iter:
            try:
                status = await coro
            except httpx.HTTPStatusError as exc:
                resp = exc.response
                error_msg = f'HTTP error {resp.status_code} - {resp.reason_phrase}'
                cc = code_of(exc)
            except (httpx.RequestError, OSError) as exc:
                error_msg = description(exc)
                cc = code_of(exc)
            except asyncio.CancelledError:
                break
            else:
                error_msg = ''

            if error_msg:
                status = DownloadStatus.ERROR
                record_error(cc, error_msg)
            counter[status] += 1
            if verbose and error_msg:
                print(f'{cc} error: {error_msg}', flush=True)
    return counter


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags in an event loop; return how many ended with each status."""
    return asyncio.run(supervisor(cc_list, base_url, verbose, concur_req))


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
