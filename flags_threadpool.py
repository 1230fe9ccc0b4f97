#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with a pool of threads.

    $ python3 flags_threadpool.py -s LOCAL
    BR BD CN CD EG DE FR ET ID IN IR JP MX NG PK PH TR RU US VN
    20 downloads in 0.04s

The codes appear in the order of completion, which differs from run to run.
"""

from concurrent import futures

from flags import get_flag, main, save_flag


def download_one(cc: str) -> str:
    """Download and save one flag; return its code."""
    image = get_flag(cc)
    save_flag(image, f'{cc}.gif')
    print(f'{cc} ', end='', flush=True)  # one write: codes of threads must not mix
    return cc


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags, one per thread at a time; return their number."""
    with futures.ThreadPoolExecutor() as executor:
        res = executor.map(download_one, sorted(cc_list))
    return len(list(res))


if __name__ == '__main__':
    main(download_many)
