#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries, one after the other.

    $ python3 flags.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.09s

The other scripts of the series reuse what does not depend on how downloads run at once.
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from pathlib import Path

import httpx

from support import clients, interrupts, servers
from support.console import fail, say
from support.files import write_whole
from support.measures import hand_over

POP20_CC = 'CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR'.split()

BASE_URL = servers.SERVERS['REMOTE']
DEST_DIR = Path('downloaded')


def save_flag(img: bytes, filename: str) -> None:
    """Write img to filename in DEST_DIR, whole or not at all; raise OSError if that fails."""
    write_whole(DEST_DIR / filename, img)


def get_flag(cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    return clients.content(clients.get(flag_url(BASE_URL, cc)))


def flag_url(base_url: str, cc: str) -> str:
    """Return the URL of a flag.

    >>> flag_url('http://localhost:8000/flags', 'BR')
    'http://localhost:8000/flags/br/br.gif'
    """
    return f'{base_url}/{cc.lower()}/{cc.lower()}.gif'


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags one by one; return how many."""
    for cc in sorted(cc_list):
        image = get_flag(cc)
        save_flag(image, f'{cc}.gif')
        say(cc, end=' ')
    return len(cc_list)


def main(downloader: Callable[[list[str]], int]) -> None:
    """Time downloader on the 20 flags, from the server that the command line names."""
    global BASE_URL
    server = process_args()
    try:
        with interrupts.handled():
            DEST_DIR.mkdir(exist_ok=True)
            with servers.running(server) as BASE_URL:
                clients.prepare(BASE_URL)
                start = time.perf_counter()
                count = downloader(POP20_CC)
                elapsed = time.perf_counter() - start
            say(f'\n{count} downloads in {elapsed:.2f}s')
            hand_over(elapsed)
    except (httpx.HTTPError, OSError, BrokenExecutor, servers.ServerError) as exc:
        offline = server == 'REMOTE' and isinstance(exc, httpx.TransportError)
        hint = '; try -s LOCAL' if offline else ''
        fail(f'{clients.describe(exc)}{hint}')


def process_args() -> str:
    """Return the server that the command line names: a label or a base URL."""
    parser = argparse.ArgumentParser(description='Download the flags of 20 countries.')
    servers.add_server_option(parser, default='REMOTE')
    server: str = parser.parse_args().server
    return server


if __name__ == '__main__':
    main(download_many)
