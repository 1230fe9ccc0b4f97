#!/usr/bin/env python3
"""Compare slow_server.py without delay to the file server of the standard library.

    $ python3 benchmarks/file_servers.py
    python3 -m http.server        0.464 ms per flag
    slow_server.py --max-delay 0  0.187 ms per flag, ratio 0.40
    676 requests of one client: 194 flags, 482 not found, 1 connection

One client asks both for the same flags in turn, and keeps its connection if the server does.
Below 1, the ratio speaks for slow_server.py.
"""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from string import ascii_lowercase

ROOT = Path(__file__).resolve().parent.parent
CODES = (ROOT / 'country_codes.txt').read_text('ascii').lower().split()
EVERY_CODE = [first + second for first in ascii_lowercase for second in ascii_lowercase]
ROUNDS = 7
FILE_SERVER = ['-m', 'http.server', '--bind', '127.0.0.1', '--directory', str(ROOT), '0']
SLOW_SERVER = [str(ROOT / 'slow_server.py'), '--bind', '127.0.0.1', '--max-delay', '0', '0']


@contextmanager
def serving(args: list[str]) -> Iterator[http.client.HTTPConnection]:
    """Run a Python program that prints its URL first; yield a client of that server."""
    command = [sys.executable, '-u', *args]
    silent = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=silent, text=True) as server:
        assert server.stdout
        try:
            greeting = server.stdout.readline()
            (port,) = re.findall(r':(\d+)/', greeting)
            client = http.client.HTTPConnection('127.0.0.1', int(port))
            yield client
            client.close()
        finally:
            server.terminate()


def download(client: http.client.HTTPConnection, codes: list[str]) -> Counter[int]:
    """Ask for the flags one by one; return how often each status came back."""
    statuses: Counter[int] = Counter()
    for cc in codes:
        client.request('GET', f'/flags/{cc}/{cc}.gif')
        response = client.getresponse()
        response.read()
        statuses[response.status] += 1
    return statuses


def seconds_per_flag(client: http.client.HTTPConnection) -> float:
    """Return the time for one flag, on average over all of them."""
    start = time.perf_counter()
    statuses = download(client, CODES)
    elapsed = time.perf_counter() - start
    assert statuses == {HTTPStatus.OK: len(CODES)}
    return elapsed / len(CODES)


def compare_speed() -> None:
    """Print the best of several rounds with either server, and the ratio."""
    with serving(FILE_SERVER) as plain, serving(SLOW_SERVER) as slow:
        rounds = [(seconds_per_flag(plain), seconds_per_flag(slow)) for _ in range(ROUNDS)]
    plain_best, slow_best = (min(times) for times in zip(*rounds, strict=True))
    print(f'python3 -m http.server        {plain_best * 1000:.3f} ms per flag')
    print(
        f'slow_server.py --max-delay 0  {slow_best * 1000:.3f} ms per flag, '
        f'ratio {slow_best / plain_best:.2f}'
    )


def count_connections() -> None:
    """Print how many connections one client needs to ask for every possible code."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, 'log')
        with serving([*SLOW_SERVER, '--log', str(log)]) as client:
            statuses = download(client, EVERY_CODE)
        requests = [json.loads(line) for line in log.read_text().splitlines()]
    connections = len({request['lane'] for request in requests})
    print(
        f'{len(requests)} requests of one client: {statuses[HTTPStatus.OK]} flags, '
        f'{statuses[HTTPStatus.NOT_FOUND]} not found, '
        f'{connections} connection{"s" if connections > 1 else ""}'
    )


if __name__ == '__main__':
    compare_speed()
    count_connections()
