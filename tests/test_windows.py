"""What scripts do on Windows and macOS, as far as this system can be made to look like them.

See windows/sitecustomize.py: spawned processes, two signals, no interruption of locks, pipes that
break with EINVAL, a coarse clock, an old encoding, and modules and functions that are missing.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

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
    copy_with_port,
    flag_files,
    flag_url,
    needs_posix,
    press_ctrl_c,
    project_copy,
    running_here,
    started,
    wait_until,
    with_sitecustomize,
)
from cpu_tools import LARGE, PROCESSES, SMALL_ENDS, copy_with_numbers, cpu_script
from endings import FLAGS2, SOON, Ending, complaints, counts, ending_of
from raw_server import misbehaving

CONCURRENT = ['flags_processpool.py', 'flags2_threadpool.py', 'flags2_asyncio.py']
SIMULATION = ROOT / 'tests/windows'

# What scripts begin with whose processes take long to load, or to be started
SLOW_STARTS = {
    'child': """
import pathlib, sys, time
if '--multiprocessing-fork' in sys.orig_argv:
    pathlib.Path(f'{time.time_ns()} starts').touch()
    for _ in range(500):
        time.sleep(0.01)
""",
    'parent': """
import multiprocessing.util, pathlib, time
def start(path, words, descriptors, real=multiprocessing.util.spawnv_passfds):
    pid = real(path, words, descriptors)
    if words[-1] == '--multiprocessing-fork':
        pathlib.Path(f'{pid} starts').touch()
        time.sleep(5)
    return pid
multiprocessing.util.spawnv_passfds = start
""",
}

pytestmark = needs_posix


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all that a test starts run as on Windows."""
    monkeypatch.setenv('PYTHONPATH', str(SIMULATION))


def evaluated(expression: str) -> str:
    """Return what an expression prints as on Windows."""
    code = f'import timeit; from support import servers; print({expression})'
    return subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, encoding='utf-8', check=True
    ).stdout.strip()


def wait_until_idle(process: subprocess.Popen[str]) -> None:
    """Wait until the main thread waits, and with it the whole process."""

    def is_idle() -> bool:
        before = cpu_times()
        time.sleep(0.2)
        return bool(cpu_times() == before)

    cpu_times = psutil.Process(process.pid).cpu_times
    wait_until(is_idle)


def wait_until_started(process: subprocess.Popen[str], workers: int) -> None:
    """Wait until so many processes compute."""

    def have_started() -> bool:
        times = [child.cpu_times().user for child in psutil.Process(process.pid).children()]
        return len([seconds for seconds in times if seconds > 1]) >= workers

    wait_until(have_started)


def ending_without_reader(process: subprocess.Popen[str]) -> Ending:
    """Return how a process ends whose output is no longer read after the first character."""
    assert process.stdout
    process.stdout.read(1)
    process.stdout.close()
    process.stdout = None
    return ending_of(process)


@pytest.mark.parametrize('script', ['flags.py', *CONCURRENT])
def test_flags_are_downloaded_from_a_server_of_their_own(
    script: str, start_script: StartScript, free_port: int
) -> None:
    folder = copy_with_port(8000, free_port)
    process = start_script(script, '-s', 'LOCAL', folder=folder)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, stderr
    assert len(complaints(stderr)) == 1  # that nothing listens
    assert stdout
    assert len(flag_files()) == 20


@pytest.mark.parametrize('args', [['flags2', 'br', '--delay', 0, 0.1], ['primes', 2]], ids=str)
def test_comparison_counts_each_run_and_leaves_a_held_file(args: list[object]) -> None:
    folder = copy_with_numbers([2, 4444444444444444], project_copy(with_flags=True))
    options = ['-n', 1, '--timeline', '--html', 'c.html', '--json', 'c.json']
    words = command('compare.py', *args, *options, folder=folder)
    with Path('table').open('wb') as table, started(words, stdout=table) as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, '')
    assert 'failed' not in Path('table').read_text('cp1252')
    assert Path('c.html').stat().st_size > 10_000


@pytest.mark.parametrize('script', ['flags2_sequential.py', *CONCURRENT])
def test_ctrl_c_ends_downloads_at_once(script: str, start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        process = start_script(script, '-s', server.url)
        workers = PROCESSES if script == 'flags_processpool.py' else 1
        wait_until(lambda: len(server.connections) >= workers)
        wait_until_idle(process)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert ending.status == 130
    assert complaints(ending.stderr) == ([] if script in FLAGS2 else [f'{script}: interrupted'])
    if script in FLAGS2:
        assert counts(ending.stdout) == {'downloaded': 0, 'cancelled': 20}
    assert ending.seconds < SOON


@pytest.mark.parametrize(
    ('script', 'workers'), [('proc_pool.py', 2), ('procs.py', 2), ('demo_executor_map.py', 0)]
)
def test_ctrl_c_ends_work_on_this_machine_at_once(script: str, workers: int) -> None:
    args = [workers] if workers else []
    with cpu_script(script, *args, numbers=[2, *[LARGE] * 20]) as process:
        assert process.stdout
        process.stdout.readline()
        wait_until_started(process, workers)
        wait_until_idle(process)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (130, f'{script}: interrupted\n')
    assert ending.seconds < SOON


@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py'])
@pytest.mark.parametrize('lines', SLOW_STARTS.values(), ids=SLOW_STARTS)
def test_ctrl_c_while_processes_start_ends_all_at_once(script: str, lines: str) -> None:
    folder = altered_copy('primes.py', '"""', f'{lines}\n"""', copy_with_numbers([LARGE] * 20))
    with started(command(script, 2, folder=folder)) as process:
        wait_until(lambda: list(Path.cwd().glob('* starts')))
        wait_until_idle(process)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (130, f'{script}: interrupted\n')
    assert ending.seconds < SOON


def test_private_server_does_not_see_ctrl_c(start_script: StartScript, free_port: int) -> None:
    folder = copy_with_port(8001, free_port)
    process = start_script('flags.py', '-s', 'DELAY', folder=folder)
    assert process.stderr
    process.stderr.readline()  # that nothing listens
    (server,) = [pid for pid, words in running_here().items() if '--until-eof' in words]
    assert os.getpgid(server) != os.getpgid(process.pid)
    wait_until_idle(process)  # an interrupted write of the simulation would be done twice
    press_ctrl_c(process)
    ending = ending_of(process)
    assert (ending.status, ending.stderr) == (130, 'flags.py: interrupted\n')


def test_errors_have_the_name_that_the_system_tells(run_script: RunScript, free_port: int) -> None:
    """The one that asyncio tells is made up on this system."""
    run = run_script('flags2_threadpool.py', 'br', '-s', f'http://127.0.0.1:{free_port}/flags')
    assert 'Connection refused' in run.stderr
    assert 'Unknown' not in run.stderr
    assert run.returncode == 1


@pytest.mark.parametrize('script', ['flags2_sequential.py', *CONCURRENT])
def test_reader_who_leaves_ends_downloads(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.1)
    options = ['-ev'] if script in FLAGS2 else []
    process = start_script(script, *options, '-s', server.url)
    ending = ending_without_reader(process)
    assert (ending.status, complaints(ending.stderr)) == (141, [])
    assert ending.seconds < SOON
    assert len(server.requests()) < 200


def test_pools_have_at_most_61_workers(run_script: RunScript) -> None:
    assert "'62' is not a number from 1 to 61" in run_script('proc_pool.py', 62).stderr


def test_reader_who_leaves_ends_pools() -> None:
    with cpu_script('proc_pool.py', 2, numbers=SMALL_ENDS) as process:
        ending = ending_without_reader(process)
    assert (ending.status, ending.stderr) == (141, '')


def test_it_is_soon_known_that_nothing_listens(free_port: int) -> None:
    call = f'servers.is_listening("http://localhost:{free_port}")'
    assert evaluated(call) == 'False'
    assert float(evaluated(f'timeit.timeit(lambda: {call}, number=1)')) < 1


def test_two_servers_do_not_share_a_port(start_server: StartServer, run_script: RunScript) -> None:
    port = start_server('--max-delay', 0).url.split(':')[2].partition('/')[0]
    run = run_script('slow_server.py', port, '--until-eof')
    assert 'slow_server.py: cannot listen on ' in run.stderr
    assert run.returncode == 1


def test_server_answers_and_ends_by_ctrl_c(start_server: StartServer) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.5)
    args = command('flags2_threadpool.py', '-v', '-s', server.url)
    subprocess.run(args, capture_output=True, timeout=PATIENCE, check=False)
    assert {request['status'] for request in server.first_requests(20)} == {200, 418}
    assert flag_url('/flags', 'BR') in {request['path'] for request in server.requests()}
    press_ctrl_c(server.process)
    assert server.process.wait(PATIENCE) == 0


def test_letters_that_the_code_page_lacks_do_no_harm(run_script: RunScript) -> None:
    run = run_script('flags2_sequential.py', '-s', 'http://флаги.invalid/flags', 'br')
    assert r'URL site: http://\u0444' in run.stdout
    assert '1 error.' in run.stdout
    assert 'Traceback' not in run.stderr


def test_reader_who_leaves_is_noticed_where_poll_tells_only_what_it_was_asked(
    start_script: StartScript, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of macOS tells nothing of a pipe that nobody asked to write to."""
    lines = [
        'import select',
        'class Poll:',
        '    def __init__(self, real=select.poll): self.real = real()',
        '    def register(self, fd, events):',
        '        if events: self.real.register(fd, events)',
        '    def poll(self, timeout): return self.real.poll(timeout)',
        'select.poll = Poll',
    ]
    monkeypatch.setenv('PYTHONPATH', with_sitecustomize(*lines)['PYTHONPATH'])
    server = start_server('--min-delay', 0.02, '--max-delay', 0.04)
    process = start_script('flags2_threadpool.py', '-ev', '-s', server.url)
    ending = ending_without_reader(process)
    assert (ending.status, ending.stderr) == (-13, '')
    assert len(server.requests()) < 200
