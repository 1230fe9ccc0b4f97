#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries, one after the other.

    $ python3 flags.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.09s

The other scripts import from this one. They differ in download_many.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from support import clients, files
from support.commands import command_line

POP20_CC: list[str] = list('CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR'.split())

BASE_URL = os.environ.get('FLAGS_URL') or 'https://www.fluentpython.com/data/flags'
DEST_DIR = Path('downloaded')


def save_flag(img: bytes, filename: str) -> None:
    """Write img to a file in DEST_DIR, atomically; raise OSError if that fails."""
    files.save(DEST_DIR / filename, img)


def get_flag(cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    cc = cc.lower()
    url = f'{BASE_URL}/{cc}/{cc}.gif'
    resp = clients.get(url, timeout=6.1, follow_redirects=True)
    resp.raise_for_status()
    return resp.content


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags one by one; return their number."""
    for cc in sorted(cc_list):
        image = get_flag(cc)
        save_flag(image, f'{cc}.gif')
        print(cc, end=' ', flush=True)
    return len(cc_list)


def main(downloader: Callable[[list[str]], int]) -> None:
    """Time a downloader of the 20 flags, from the server that the command line names."""
    with command_line(globals()):  # sets BASE_URL
        DEST_DIR.mkdir(exist_ok=True)
        t0 = time.perf_counter()
        count = downloader(POP20_CC)
        elapsed = time.perf_counter() - t0
        print(f'\n{count} downloads in {elapsed:.2f}s')


if __name__ == '__main__':
    main(download_many)
