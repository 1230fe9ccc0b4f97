#!/usr/bin/env python3
"""Download flags with a pool of threads, with a progress bar and error handling.

    $ python3 flags2_threadpool.py -s DELAY a b c
    DELAY site: http://localhost:8001/flags
    Searching for 78 flags: from AA to CZ
    30 concurrent connections will be used.
    --------------------
    43 flags downloaded.
    35 not found.
    Elapsed time: 8.75s

A dict maps each future to its country code.
"""

from collections import Counter
from collections.abc import Iterable
from concurrent import futures

import httpx
from tqdm import tqdm

from flags2_common import DownloadStatus, main, record_error
from flags2_sequential import download_one
from support.console import description

DEFAULT_CONCUR_REQ = 30
MAX_CONCUR_REQ = 1000


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags on concur_req threads; return how many ended with each status."""
    counter: Counter[DownloadStatus] = Counter()
    with futures.ThreadPoolExecutor(max_workers=concur_req) as executor:
        to_do_map = {}
        for cc in sorted(cc_list):
            future = executor.submit(download_one, cc, base_url, verbose)
            to_do_map[future] = cc
        done_iter: Iterable[futures.Future[DownloadStatus]] = futures.as_completed(to_do_map)
        if not verbose:
            done_iter = tqdm(done_iter, total=len(cc_list))
        for future in done_iter:
            try:
                status = future.result()
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
                cc = to_do_map[future]
                record_error(cc, error_msg)
            counter[status] += 1
            if verbose and error_msg:
                print(f'{cc} error: {error_msg}\n', end='', flush=True)
    return counter


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
