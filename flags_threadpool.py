#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with a pool of threads.

    $ python3 flags_threadpool.py -s LOCAL
    BR BD CN CD EG DE FR ET ID IN IR JP MX NG PK PH TR RU US VN
    20 downloads in 0.04s

The codes come in the order of completion, a different one each time.
"""

from concurrent import futures

from flags import get_flag, main, save_flag


def download_one(cc: str) -> str:
    """Download and save one flag; return its code."""
    image = get_flag(cc)
    save_flag(image, f'{cc}.gif')
    print(f'{cc} ', end='', flush=True)  # one write: else those of two threads mix
    return cc


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags, as many at a time as there are threads; return how many."""
    with futures.ThreadPoolExecutor() as executor:
        res = executor.map(download_one, sorted(cc_list))
    return len(list(res))


if __name__ == '__main__':
    main(download_many)
