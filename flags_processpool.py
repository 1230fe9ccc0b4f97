#!/usr/bin/env python3
"""Download the flags of the 20 most populous countries with a pool of processes.

    $ python3 flags_processpool.py -s LOCAL
    BD BR CN CD DE EG ET FR ID IN IR JP MX NG PH PK RU TR US VN
    20 downloads in 0.24s

Work that mostly waits gains nothing from processes: they take longer to start than threads,
and what threads find in shared memory has to be handed to them.
"""

from pathlib import Path

import flags
from flags_threadpool import download_one
from support import interrupts, processes

MAX_WORKERS = 20  # the default, one per CPU, suits work that computes


def start_worker(base_url: str, dest_dir: Path) -> None:
    """Set up a new process as the main one is set up."""
    flags.BASE_URL = base_url
    flags.DEST_DIR = dest_dir
    interrupts.start_run(processes.GRACE)
    processes.follow_parent()


def download_many(cc_list: list[str]) -> int:
    """Download and save the flags, as many at a time as there are processes; return how many."""
    with processes.pool(MAX_WORKERS, start_worker, flags.BASE_URL, flags.DEST_DIR) as executor:
        codes = executor.map(download_one, sorted(cc_list))
        return len(list(codes))


if __name__ == '__main__':
    flags.main(download_many)
