#!/usr/bin/env python3
"""Download flags one after the other, with a progress bar and error handling.

    $ python3 flags2_sequential.py
    LOCAL site: http://localhost:8000/flags
    Searching for 20 flags: from BD to VN
    1 concurrent connection will be used.
    --------------------
    20 flags downloaded.
    Elapsed time: 0.10s

What the threaded script adds shows best in a diff of the two.
"""

from collections import Counter

import httpx

from flags import flag_url
from flags2_common import DownloadStatus, Tally, main, not_found, saved
from support import clients

DEFAULT_CONCUR_REQ = 1
MAX_CONCUR_REQ = 1


def get_flag(base_url: str, cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    return clients.content(clients.get(flag_url(base_url, cc)))


def download_one(cc: str, base_url: str, verbose: bool = False) -> DownloadStatus:
    """Download and save one flag, if it exists; raise httpx.HTTPError for other failures."""
    try:
        image = get_flag(base_url, cc)
    except httpx.HTTPStatusError as exc:
        return not_found(cc, exc, verbose)
    return saved(cc, image, verbose)


def download_many(
    cc_list: list[str], base_url: str, verbose: bool, concur_req: int
) -> Counter[DownloadStatus]:
    """Download the flags one by one, whatever concur_req says; return how many ended how."""
    with Tally(cc_list, verbose) as tally:
        for cc in sorted(cc_list):
            with tally.errors_of(cc):
                tally.count(download_one(cc, base_url, verbose))
            tally.advance()
    return tally.counter


if __name__ == '__main__':
    main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)
