#!/usr/bin/env python3
"""Download five flags with a pool of three threads, and print the futures.

    $ python3 flags_threadpool_futures.py -s DELAY
    Scheduled for BR: <Future at 0x7f5c56ba2c50 state=running>
    Scheduled for CN: <Future at 0x7f5c56ba3590 state=running>
    Scheduled for ID: <Future at 0x7f5c56ba3e90 state=running>
    Scheduled for IN: <Future at 0x7f5c56bb0850 state=pending>
    Scheduled for US: <Future at 0x7f5c56bb0a50 state=pending>
    CN <Future at 0x7f5c56ba3590 state=finished returned str> result: 'CN'
    ...

Three downloads run at a time; the others are pending.
"""

from concurrent import futures

from flags import main
from flags_threadpool import download_one


def download_many(cc_list: list[str]) -> int:
    """Download and save the first five flags, three at a time; return their number."""
    cc_list = cc_list[:5]
    with futures.ThreadPoolExecutor(max_workers=3) as executor:
        to_do = []
        for cc in sorted(cc_list):
            future = executor.submit(download_one, cc)
            to_do.append(future)
            print(f'Scheduled for {cc}: {future}\n', end='', flush=True)

        for count, future in enumerate(futures.as_completed(to_do), 1):
            res = future.result()
            print(f'{future} result: {res!r}\n', end='', flush=True)
    return count


if __name__ == '__main__':
    main(download_many)
