#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with a pool of processes.

    $ python3 flags_processpool.py -s LOCAL
    BD BR CD CN DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.24s

The pool has one process per CPU, which suits CPU-bound work. Downloads are I/O-bound: many requests
in flight make them fast, and here there is only one per process.
"""

from concurrent import futures

from flags import get_flag, main, save_flag
from support.workers import quiet_processes


def download_one(cc: str) -> str:
    """Download and save one flag; return its code."""
    image = get_flag(cc)
    save_flag(image, f'{cc}.gif')
    print(f'{cc} ', end='', flush=True)  # one write: codes of processes must not mix
    return cc


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags, one per CPU at a time; return their number."""
    with futures.ProcessPoolExecutor(mp_context=quiet_processes()) as executor:
        res = executor.map(download_one, sorted(cc_list))
    return len(list(res))


if __name__ == '__main__':
    main(download_many)
