#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries, one after the other.

    $ python3 flags.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.09s

The other scripts of the series import what does not depend on how downloads run at once.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from support import clients, servers
from support.console import fail, good_end, reason, write_whole

POP20_CC = 'CN IN US ID BR PK NG BD RU JP MX PH VN ET EG DE IR TR CD FR'.split()

BASE_URL = os.environ.get('FLAGS_URL', servers.SERVERS['REMOTE'])
DEST_DIR = Path('downloaded')


def save_flag(img: bytes, filename: str) -> None:
    """Write img to filename in DEST_DIR, whole or not at all; raise OSError if that fails."""
    write_whole(DEST_DIR / filename, img)


def get_flag(cc: str) -> bytes:
    """Return the GIF for a country code; raise httpx.HTTPError if that fails."""
    cc = cc.lower()
    url = f'{BASE_URL}/{cc}/{cc}.gif'
    resp = clients.get(url, timeout=6.1, follow_redirects=True)
    resp.raise_for_status()
    return resp.content


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags one by one; return how many."""
    for cc in sorted(cc_list):
        image = get_flag(cc)
        save_flag(image, f'{cc}.gif')
        print(cc, end=' ', flush=True)
    return len(cc_list)


def main(downloader: Callable[[list[str]], int]) -> None:
    """Time downloader on the 20 flags, from the server that the command line names."""
    with command_line():
        DEST_DIR.mkdir(exist_ok=True)
        t0 = time.perf_counter()
        count = downloader(POP20_CC)
        elapsed = time.perf_counter() - t0
        print(f'\n{count} downloads in {elapsed:.2f}s')


@contextmanager
def command_line() -> Iterator[None]:
    """Context manager: use the server that -s names, and end with one line if it fails.

    Worker processes that import this module anew find the server in the environment.
    """
    global BASE_URL
    description = (sys.modules['__main__'].__doc__ or '').partition('\n')[0]
    parser = argparse.ArgumentParser(description=description)
    servers.add_server_option(parser, default='REMOTE')
    server = parser.parse_args().server
    with good_end(), servers.running(server) as url:
        BASE_URL = os.environ['FLAGS_URL'] = url
        clients.prepare(url)
        try:
            yield
        except BaseException as exc:
            print(flush=True)  # after the codes
            error = exc.exceptions[0] if isinstance(exc, ExceptionGroup) else exc
            if not isinstance(error, httpx.HTTPError):
                raise
            offline = server == 'REMOTE' and isinstance(error, httpx.TransportError)
            fail(describe(error) + ('; try -s LOCAL' if offline else ''))


def describe(exc: httpx.HTTPError) -> str:
    """Return one line that says what went wrong, and with which URL."""
    what = reason(exc)
    if isinstance(exc, httpx.HTTPStatusError):
        what = f'HTTP error {exc.response.status_code} - {exc.response.reason_phrase}'
    return f'{what}: {exc.request.url}'


if __name__ == '__main__':
    main(download_many)
