"""What the chapter and the pages of docs/ say of executors, shown by the scripts.

Those on demo_executor_map.py are in test_demo_executor_map.py, and those on futures in
test_flags_threadpool_futures.py.
"""

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
from conftest import (
    PATIENCE,
    RunScript,
    Server,
    StartScript,
    StartServer,
    altered_copy,
    command,
    members,
    wait_until,
)
from cpu_tools import PROCESSES, WITH_A_GIL, answers, cpu_script, output_of
from raw_server import RawServer, misbehaving

from comparing.runs import most_in_flight, requests_of

PRIMES = [142702110479723, 299593572317531]
THREADS = min(20, ThreadPoolExecutor()._max_workers)


def seconds(output: str) -> float:
    """Return the time that a script has printed at the end."""
    return float(output.split()[-1].removesuffix('s'))


@contextmanager
def cpu_seconds() -> Iterator[list[float]]:
    """Yield a list that gets the CPU time of all processes that run and end in the block."""
    spent: list[float] = []
    before = sum(os.times()[2:4])  # those of children
    yield spent
    spent.append(sum(os.times()[2:4]) - before)


def waiting_processes(script: subprocess.Popen[str], server: RawServer) -> dict[int, int]:
    """Return which processes of a script have connections to a server, and how many each."""
    port = urlsplit(server.url).port
    connections = Counter(
        pid
        for pid in members(script.pid)
        for connection in psutil.Process(pid).net_connections()
        if connection.raddr and connection.raddr.port == port
    )
    return dict(connections)


@pytest.mark.parametrize(
    ('script', 'workers'),
    [
        ('flags_threadpool.py', THREADS),
        ('flags_processpool.py', PROCESSES),
        ('flags_asyncio.py', 20),
    ],
)
def test_as_many_flags_are_waited_for_at_once_as_there_are_workers(
    script: str, workers: int, start_script: StartScript
) -> None:
    """Threads and coroutines share a process; coroutines share its only thread, too."""
    with misbehaving('never answers') as server:
        process = start_script(script, '-s', server.url)
        wait_until(lambda: len(server.connections) >= workers)
        time.sleep(0.3)  # in which there might be more
        waiting = waiting_processes(process, server)
        threads = psutil.Process(process.pid).num_threads()
    assert len(server.connections) == workers
    if script == 'flags_processpool.py':
        assert list(waiting.values()) == [1] * workers
        assert process.pid not in waiting
    else:
        assert waiting == {process.pid: workers}
        assert threads == (1 + workers if script == 'flags_threadpool.py' else 1)


@pytest.mark.skipif(not WITH_A_GIL, reason='threads are free here')
def test_threads_use_no_more_than_one_cpu() -> None:
    with cpu_seconds() as spent:
        start = time.monotonic()
        with cpu_script('prime_pools.py', 2, '-x', 'thread', numbers=PRIMES) as process:
            output_of(process)
        elapsed = time.monotonic() - start
    assert spent[0] < 1.15 * elapsed


def test_map_keeps_the_order_of_calls_so_one_result_holds_up_those_that_are_ready() -> None:
    numbers = [2, 1000000000039, PRIMES[0], 9999999999999999]
    with cpu_script('proc_pool.py', 2, numbers=numbers) as process:
        assert process.stdout
        stamped = [(time.monotonic(), line) for line in process.stdout]
    times, lines = zip(*stamped, strict=True)
    assert list(answers(list(lines))) == sorted(numbers, reverse=True)
    first, second, last = times[1], times[2], times[-1]
    assert second - first > 5 * (last - second)


@pytest.mark.parametrize(
    'words', ['proc_pool.py 2', 'prime_pools.py 2 -x thread', 'prime_pools.py -x serial']
)
def test_map_raises_where_the_failed_result_would_be(words: str) -> None:
    """Results before it are there; those after it, though ready, are lost."""
    with cpu_script(*words.split(), numbers=[2, 7.5, 9, 11]) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert re.findall(r'^ +(\d+)  ', stdout, re.M) == ['11', '9']
    assert stderr.splitlines()[-1].startswith('TypeError: ')
    assert process.returncode == 1


def test_five_threads_download_in_rounds_of_five(
    run_script: RunScript, start_server: StartServer
) -> None:
    """They take them in alphabetical order, and end in any."""
    server = start_server('--min-delay', 0.5, '--max-delay', 0.5)
    run = run_script('flags2_threadpool.py', '-v', '-m', 5, '-l', 10, '-s', server.url)
    codes = re.findall(r'^([A-Z]{2}) OK$', run.stdout, re.M)
    assert [sorted(codes[:5]), sorted(codes[5:])] == [sorted(codes)[:5], sorted(codes)[5:]]
    assert most_in_flight(requests_of(server.requests())) == 5
    assert seconds(run.stdout) >= 2 * 0.5


def test_threads_gain_nothing_where_nobody_waits(
    run_script: RunScript, fast_server: Server
) -> None:
    one, hundred = (
        seconds(run_script('flags2_threadpool.py', '-a', '-m', m, '-s', fast_server.url).stdout)
        for m in (1, 100)
    )
    assert hundred > one / 4


CHANGES = [  # what the README asks a reader to try
    ('flags2_threadpool.py', ', total=len(cc_list)', '', 'br us', r'2it \['),
    ('flags2_sequential.py', '    resp.raise_for_status()\n', '', 'zz', '1 flag downloaded'),
    ('flags2_sequential.py', 'timeout=6.1', 'timeout=.5', 'br', r'BR: timed out \(ReadTimeout\)'),
    ('flags_threadpool_futures.py', 'max_workers=3', 'max_workers=1', '', r'(.*pending>\n){4}'),
    ('flags_threadpool_futures.py', 'max_workers=3', 'max_workers=5', '', r'(.*running>\n){5}'),
]


@pytest.mark.parametrize(('script', 'old', 'new', 'codes', 'shown'), CHANGES)
def test_change_of_the_code_shows_what_a_line_is_for(
    script: str, old: str, new: str, codes: str, shown: str, start_server: StartServer
) -> None:
    delay = 1 if codes != 'zz' else 0
    server = start_server('--min-delay', delay, '--max-delay', delay)
    args = command(script, *codes.split(), '-s', server.url, folder=altered_copy(script, old, new))
    run = subprocess.run(args, capture_output=True, text=True, timeout=PATIENCE)
    assert re.search(shown, run.stdout + run.stderr)
