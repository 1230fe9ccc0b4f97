"""What the chapter says of executors, shown by the scripts: a test for each claim.

Those on demo_executor_map.py are in test_demo_executor_map.py.
"""

import re
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import pytest
from conftest import ROOT, RunScript, Server, StartServer, command, started
from cpu_tools import LARGE, SMALL, answers, cpu_script, output_of

from comparing.runs import Request, most_in_flight, read_log

CONCURRENT = ['flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
WITH_A_GIL = getattr(sys, '_is_gil_enabled', lambda: True)()
PRIMES = [142702110479723, 299593572317531] * 2

# Reports at exit in which processes, and threads of these, files were saved
WHO_SAVES = """
import os, sys, threading
sys.path.insert(0, {root!r})
sys.argv[0] = {script!r}
import flags, {module}

def save_flag(img, filename):
    with open('savers', 'a') as savers:
        print(os.getpid(), threading.get_ident(), file=savers)

flags.save_flag = {module}.save_flag = save_flag
if __name__ == '__main__':
    print(os.getpid(), threading.get_ident())
    flags.main({module}.download_many)
"""


@pytest.fixture
def slow_server(start_server: StartServer) -> Server:
    """Return a server that takes .3 seconds for each flag: time enough to ask for others."""
    return start_server('--min-delay', 0.3, '--max-delay', 0.3)


def requests_of(server: Server) -> list[Request]:
    """Return the requests that a server has logged."""
    return read_log(server.log, 0)


def seconds(output: str) -> float:
    """Return the time that a script has printed at the end."""
    return float(output.split()[-1].removesuffix('s'))


def savers(script: str, server: Server) -> tuple[str, list[str]]:
    """Return the main process and thread of a script, and those that have saved flags."""
    module = script.removesuffix('.py')
    driver = Path('driver.py')
    driver.write_text(WHO_SAVES.format(root=str(ROOT), script=script, module=module))
    with started([sys.executable, 'driver.py', '-s', server.url]) as process:
        stdout, _ = process.communicate(timeout=60)
    return stdout.splitlines()[0], Path('savers').read_text().splitlines()


@contextmanager
def cpu_seconds() -> Iterator[list[float]]:
    """Yield a list that gets the CPU time of all processes that run and end in the block."""
    spent: list[float] = []
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    yield spent
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def test_sequential_script_waits_for_each_flag_before_it_asks_for_the_next(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0, '--max-delay', 0.05)
    run_script('flags.py', '-s', server.url)
    requests = requests_of(server)
    assert most_in_flight(requests) == 1
    assert [request.code for request in requests] == sorted(request.code for request in requests)


@pytest.mark.parametrize('script', CONCURRENT)
def test_concurrent_scripts_take_less_time_than_the_delays_add_up_to(
    script: str, run_script: RunScript, slow_server: Server
) -> None:
    elapsed = seconds(run_script(script, '-s', slow_server.url).stdout)
    assert elapsed < sum(request.delay for request in requests_of(slow_server))


def test_order_varies_with_threads(run_script: RunScript, start_server: StartServer) -> None:
    server = start_server('--min-delay', 0, '--max-delay', 0.1)
    lines = {
        run_script('flags_threadpool.py', '-s', server.url).stdout.splitlines()[0] for _ in range(3)
    }
    assert len(lines) > 1


def test_pool_has_four_threads_more_than_cpus_but_32_at_the_most(
    run_script: RunScript, slow_server: Server
) -> None:
    run_script('flags_threadpool.py', '-s', slow_server.url)
    workers = ThreadPoolExecutor()._max_workers
    assert 5 <= workers <= 32
    assert most_in_flight(requests_of(slow_server)) == min(20, workers)


def test_three_futures_run_and_two_are_pending(run_script: RunScript, slow_server: Server) -> None:
    run = run_script('flags_threadpool_futures.py', '-s', slow_server.url)
    states = re.findall(r'^Scheduled for ([A-Z]{2}): <Future .*state=(\w+)>$', run.stdout, re.M)
    assert states == [
        ('BR', 'running'),
        ('CN', 'running'),
        ('ID', 'running'),
        ('IN', 'pending'),
        ('US', 'pending'),
    ]


def test_as_completed_yields_futures_that_are_done_in_the_order_of_completion(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.9)
    run = run_script('flags_threadpool_futures.py', '-s', server.url)
    results = re.findall(r"state=finished returned str> result: '(\w+)'$", run.stdout, re.M)
    by_end = sorted(requests_of(server), key=lambda request: request.end)
    for earlier, later in combinations(by_end, 2):
        if later.end - earlier.end > 0.05:  # otherwise both may be done before one is shown
            assert results.index(earlier.code) < results.index(later.code)


def test_processes_are_as_many_as_cpus_and_wait_for_as_few_flags_at_a_time(
    run_script: RunScript, slow_server: Server
) -> None:
    run_script('flags_processpool.py', '-s', slow_server.url)
    requests = requests_of(slow_server)
    assert len(requests) == 20
    workers: int = ProcessPoolExecutor()._max_workers  # type: ignore[attr-defined]
    assert most_in_flight(requests) == min(20, workers)


def test_threads_share_a_process(slow_server: Server) -> None:
    main, others = savers('flags_threadpool.py', slow_server)
    assert {line.split()[0] for line in others} == {main.split()[0]}
    assert len(set(others)) > 1
    assert main not in others


def test_processes_do_not(slow_server: Server) -> None:
    main, others = savers('flags_processpool.py', slow_server)
    processes = {line.split()[0] for line in others}
    assert len(processes) > 1
    assert main.split()[0] not in processes


def test_one_thread_does_it_all_with_coroutines(slow_server: Server) -> None:
    main, others = savers('flags_asyncio.py', slow_server)
    assert set(others) == {main}
    assert most_in_flight(requests_of(slow_server)) == 20


@pytest.mark.skipif(not WITH_A_GIL, reason='threads are free here')
def test_threads_use_no_more_than_one_cpu() -> None:
    with cpu_seconds() as spent:
        start = time.monotonic()
        with cpu_script('proc_pool.py', 2, '-x', 'thread', numbers=PRIMES) as process:
            output_of(process)
        elapsed = time.monotonic() - start
    assert spent[0] < 1.15 * elapsed


def test_map_keeps_the_order_of_calls_whatever_takes_longest() -> None:
    numbers = [*SMALL, LARGE]
    with cpu_script('proc_pool.py', 2, numbers=numbers) as process:
        lines = output_of(process)
    assert list(answers(lines)) == sorted(numbers, reverse=True)
    times = [seconds(line) for line in lines[1:-1]]
    assert times != sorted(times)


def test_script_is_stuck_at_the_second_result_and_then_has_all_the_rest() -> None:
    with cpu_script('proc_pool.py', 2, numbers=[*SMALL, LARGE]) as process:
        assert process.stdout
        times = [time.monotonic() for _ in process.stdout]
    first, second, last = times[1], times[2], times[-1]
    assert second - first > 5 * (last - second)


@pytest.mark.parametrize('kind', ['process', 'thread', 'serial'])
def test_map_raises_where_the_failed_result_would_be(kind: str) -> None:
    """Results before it are there; those after it, though ready, are lost."""
    with cpu_script('proc_pool.py', 2, '-x', kind, numbers=[2, 7.5, 9, 11]) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert re.findall(r'^ +(\d+)  ', stdout, re.M) == ['11', '9']
    assert stderr.splitlines()[-1].startswith('TypeError: ')
    assert process.returncode == 1


def test_error_in_a_future_is_raised_where_its_result_is_asked_for(
    start_server: StartServer,
) -> None:
    """So one that ends in an error does not keep others from being counted."""
    server = start_server('--max-delay', 0, '--error-rate', 0.5)
    with started(command('flags2_threadpool.py', '-v', '-s', server.url)) as process:
        stdout, _ = process.communicate(timeout=60)
    lines = re.findall(r'^([A-Z]{2}) (OK|error)', stdout, re.M)
    statuses = {request['path'][-6:-4].upper(): request['status'] for request in server.requests()}
    assert {code: 'OK' if status == 200 else 'error' for code, status in statuses.items()} == dict(
        lines
    )
