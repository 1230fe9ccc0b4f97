#!/usr/bin/env python3
"""Download flags one after the other, with a progress bar and error handling.

    $ python3 flags2_sequential.py
    LOCAL site: http://localhost:8000/flags
    Searching for 20 flags: from BD to VN
    1 concurrent connection will be used.
    --------------------
    20 flags downloaded.
    Elapsed time: 0.10s

Diff this script with flags2_threadpool.py (diff -w) to see what threads add.
"""

from collections import Counter
from collections.abc import Iterable
from http import HTTPStatus

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main, record_error, save_flag
from support import clients
from support.console import description

DEFAULT_CONCUR_REQ = 1
MAX_CONCUR_REQ = 1


def get_flag(base_url: str, cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    cc = cc.lower()
    url = f'{base_url}/{cc}/{cc}.gif'
    resp = clients.get(url, timeout=6.1, follow_redirects=True)
    resp.raise_for_status()
    return resp.content


def download_one(cc: str, base_url: str, verbose: bool = False) -> DownloadStatus:
    """Download and save one flag, if it exists; raise httpx.HTTPError for other failures."""
    try:
        image = get_flag(base_url, cc)
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
        print(f'{cc} {msg}\n', end='', flush=True)  # one write: lines of threads must not mix
    return status


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, _unused_concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags one by one; return how many ended with each status."""
    counter: Counter[DownloadStatus] = Counter()
    cc_iter: Iterable[str] = sorted(cc_list)
    if not verbose:
        cc_iter = tqdm(cc_iter)
    for cc in cc_iter:
        try:
            status = download_one(cc, base_url, verbose)
        except httpx.HTTPStatusError as exc:
            resp = exc.response
            error_msg = f'HTTP error {resp.status_code} - {resp.reason_phrase}'
        except (httpx.RequestError, OSError) as exc:
            error_msg = description(exc)
        except KeyboardInterrupt:
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


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
