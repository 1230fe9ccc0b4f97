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

A future knows nothing of the code it was made for, so a dict has to tell.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed

from flags2_common import DownloadStatus, Tally, main
from flags2_sequential import download_one

DEFAULT_CONCUR_REQ = 30
MAX_CONCUR_REQ = 1000


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags on concur_req threads; return how many ended how."""
    with (
        Tally(cc_list, verbose) as tally,
        ThreadPoolExecutor(max_workers=concur_req) as executor,
    ):
        to_do_map = {}
        for cc in sorted(cc_list):
            future = executor.submit(download_one, cc, base_url, verbose)
            future.add_done_callback(tally.advance)  # the first may end before the last begins
            to_do_map[future] = cc

        for future in as_completed(to_do_map):
            with tally.errors_of(to_do_map[future]):
                tally.count(future.result())
    return tally.counter


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
