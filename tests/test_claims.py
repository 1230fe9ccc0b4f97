"""What the chapter and the pages of docs/ say of executors, shown by the scripts.

Those on demo_executor_map.py are in test_demo_executor_map.py, and those on futures in
test_flags_threadpool_futures.py.
"""

import ast
import re
import signal
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
    Server,
    StartScript,
    altered_copy,
    command,
    members,
    needs_posix,
    started,
    wait_until,
)
from cpu_tools import PROCESSES
from endings import counts
from raw_server import RawServer, misbehaving

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


def test_line_that_raises_for_a_status_is_of_use(
    fast_server: Server, run_script: RunScript
) -> None:
    """The README asks a reader to take it away."""
    folder = altered_copy('flags2_sequential.py', '    resp.raise_for_status()\n', '')
    run = run_script('flags2_sequential.py', 'zz', '-s', fast_server.url, folder=folder)
    assert counts(run.stdout) == {'downloaded': 1}


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
