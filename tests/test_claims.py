"""What the chapter and the pages of docs/ say of executors, shown by the scripts.

Those on demo_executor_map.py are in test_demo_executor_map.py, and those on futures in
test_flags_threadpool_futures.py.
"""

import ast
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    StartScript,
    StartServer,
    altered_copy,
    command,
    flag_files,
    members,
    needs_posix,
    started,
    wait_until,
)
from cpu_tools import PROCESSES, answers, cpu_script
from raw_server import FLAG, RawServer, misbehaving, raw_server, request_path, response

THREADS = min(20, ThreadPoolExecutor()._max_workers)


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


@needs_posix
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


def test_map_keeps_the_order_of_calls_so_one_result_holds_up_those_that_are_ready() -> None:
    numbers = [2, 1000000000039, 142702110479723, 9999999999999999]
    with cpu_script('proc_pool.py', 2, numbers=numbers) as process:
        assert process.stdout
        stamped = [(time.monotonic(), line) for line in process.stdout]
    times, lines = zip(*stamped, strict=True)
    assert list(answers(list(lines))) == sorted(numbers, reverse=True)
    first, second, last = times[1], times[2], times[-1]
    assert second - first > 5 * (last - second)


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
    run = subprocess.run(args, capture_output=True, encoding='utf-8', timeout=PATIENCE)
    assert re.search(shown, run.stdout + run.stderr)


@needs_posix
@pytest.mark.parametrize(
    ('script', 'is_seen'), [('flags2_sequential.py', True), ('flags2_threadpool.py', False)]
)
def test_interrupt_strikes_inside_the_try_of_the_sequential_script_only(
    script: str, is_seen: bool
) -> None:
    branch = 'except KeyboardInterrupt:\n'
    folder = altered_copy(script, branch, f'{branch}{" " * 20}print("seen", flush=True);')
    with (
        misbehaving('never answers') as server,
        started(command(script, '-v', '-s', server.url, folder=folder)) as process,
    ):
        wait_until(lambda: server.connections)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert ('\nseen\n' in stdout) == is_seen
    assert '\n20 cancelled.\n' in stdout


def fail_first(conn: socket.socket) -> None:
    """Answer the first code with an error before any other is answered."""
    is_first = '/bd/' in request_path(conn)
    time.sleep(0.1 if is_first else 0.4)
    conn.sendall(response('500 Sorry', b'') if is_first else FLAG)


@pytest.mark.parametrize(
    ('script', 'saved'), [('flags.py', 0), ('flags_threadpool.py', 19), ('flags_asyncio.py', 0)]
)
def test_others_come_in_spite_of_one_error_with_threads_only(
    script: str, saved: int, run_script: RunScript
) -> None:
    with raw_server(fail_first) as server:
        run = run_script(script, '-s', server.url)
    assert run.returncode == 1
    assert len(flag_files()) == saved


def listing(script: str) -> str:
    """Return download_one and download_many as a script has them, without their docstrings."""
    source = (ROOT / script).read_text('utf-8')
    functions = [
        ast.get_source_segment(source, node)
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name in ('download_one', 'download_many')
    ]
    return re.sub(r' {4}""".*?"""\n', '', '\n\n\n'.join(filter(None, functions)), flags=re.S)


def test_class_is_shown_what_the_scripts_do() -> None:
    shown = re.findall(r'```py\n(.*?)\n```', (ROOT / 'docs/class.md').read_text('utf-8'), re.S)
    assert shown == [listing('flags.py'), listing('flags_threadpool.py')]
