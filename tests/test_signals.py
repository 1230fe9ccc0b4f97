"""How scripts end on signals: at once, with a report or one line, and nothing left behind."""

import itertools
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    flag_files,
    members,
    needs_dask,
    needs_posix,
    press_ctrl_c,
    started,
    wait_until,
    with_module,
    with_sitecustomize,
    without,
)
from cpu_tools import LARGE, METHODS, cpu_script, wait_until_busy
from endings import FLAGS2, SOON, Ending, complaints, counts, ending_of, send, status_of
from raw_server import KEPT, by_code, left, misbehaving, raw_server, request_path

from flags import POP20_CC

JOBS = 'tests/jobs.py'

pytestmark = needs_posix


def first_line(job: subprocess.Popen[str]) -> str:
    """Return the line that a job prints when it is ready."""
    assert job.stdout
    return job.stdout.readline().rstrip()


def interrupted(job: subprocess.Popen[str], name: str = 'SIGINT') -> Ending:
    """Send a signal to a job as soon as it is ready; return how it ends."""
    first_line(job)
    send(job, name)
    return ending_of(job)


def check(ending: Ending, script: str, name: str = 'SIGINT') -> None:
    """Check that a script has ended soon after a signal, with a report or one line."""
    assert ending.status == status_of(name)
    if script in FLAGS2:
        assert sum(counts(ending.stdout).values()) == len(POP20_CC)
        assert complaints(ending.stderr) == []
    else:
        assert ending.stderr == f'{script}: interrupted\n'
    assert ending.seconds < SOON


@pytest.mark.parametrize(
    ('script', 'name', 'to', 'times'),
    [
        ('flags.py', 'SIGHUP', 'group', 1),
        ('flags_threadpool.py', 'SIGINT', 'group', 1),
        ('flags_threadpool_futures.py', 'SIGINT', 'group', 1),
        ('flags_processpool.py', 'SIGTERM', 'process', 1),
        ('flags_processpool.py', 'SIGINT', 'group', 5),
        ('flags_asyncio.py', 'SIGINT', 'group', 1),
        ('flags2_sequential.py', 'SIGHUP', 'group', 1),
        ('flags2_threadpool.py', 'SIGTERM', 'process', 1),
        ('flags2_threadpool.py', 'SIGINT', 'group', 5),
        ('flags2_asyncio.py', 'SIGINT', 'group', 5),
    ],
)
def test_signals_end_downloads(
    script: str, name: str, to: str, times: int, start_script: StartScript
) -> None:
    with misbehaving('never answers') as server:
        process = start_script(script, '-s', server.url)
        wait_until(lambda: server.connections)
        for _ in range(times):
            send(process, name, to)
            time.sleep(0.01)
        ending = ending_of(process)
    check(ending, script, name)
    assert flag_files() == []
    if script in FLAGS2:
        assert counts(ending.stdout) == {'downloaded': 0, 'cancelled': 20}
    else:
        assert ending.stdout.endswith('\n')  # codes would stand above it


@pytest.mark.parametrize(
    ('words', 'name', 'to'),
    [
        ('primes.py', 'SIGHUP', 'group'),
        ('proc_pool.py', 'SIGTERM', 'process'),
        ('procs.py', 'SIGHUP', 'group'),
        ('demo_executor_map.py', 'SIGINT', 'group'),
        ('prime_pools.py -x thread', 'SIGINT', 'group'),
        ('prime_pools.py -x serial', 'SIGTERM', 'process'),
        pytest.param('prime_pools.py 1 -x dask', 'SIGINT', 'group', marks=needs_dask),
    ],
)
def test_signal_ends_work_on_this_machine(words: str, name: str, to: str) -> None:
    script, *args = words.split()
    with cpu_script(script, *args, numbers=[2, *[LARGE] * 20]) as process:
        first_line(process)
        send(process, name, to)
        check(ending_of(process), script, name)


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize(('script', 'to'), [('proc_pool.py', 'group'), ('procs.py', 'process')])
def test_ctrl_c_ends_processes_however_they_start(script: str, to: str, method: str) -> None:
    with cpu_script(script, 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        send(process, 'SIGINT', to)
        check(ending_of(process), script)


@pytest.mark.parametrize(
    ('script', 'method'), [*[('proc_pool.py', each) for each in METHODS], ('procs.py', METHODS[0])]
)
def test_processes_end_when_their_script_is_killed(script: str, method: str) -> None:
    with cpu_script(script, 2, numbers=[LARGE] * 20, method=method) as process:
        wait_until_busy(process)
        process.kill()
        wait_until(lambda: not members(process.pid))


@pytest.mark.parametrize('method', METHODS)
def test_processes_end_in_silence_at_random_moments_also_while_they_start(
    method: str, start_script: StartScript, rng: random.Random
) -> None:
    for _ in range(2):
        job = start_script(JOBS, 'sleep_in_processes', method)
        first_line(job)
        time.sleep(rng.uniform(0, 0.4))
        name = rng.choice(['SIGINT', 'SIGHUP'])
        send(job, name)
        check(ending_of(job), 'jobs.py', name)


@pytest.mark.parametrize('script', FLAGS2)
def test_report_agrees_with_the_files_at_random_moments(
    script: str, start_script: StartScript, start_server: StartServer, rng: random.Random
) -> None:
    """Also strike while downloads are submitted and saved, on a server that hardly waits."""
    server = start_server('--min-delay', 0, '--max-delay', 1, '--error-rate', 0.1)
    for _ in range(2):
        shutil.rmtree('downloaded', ignore_errors=True)
        process = start_script(script, '-ev', '-m', rng.choice([30, 100]), '-s', server.url)
        for _ in range(3):
            first_line(process)
        time.sleep(rng.uniform(0, 0.8))
        press_ctrl_c(process)
        ending = ending_of(process)
        found = counts(ending.stdout)
        assert found['downloaded'] == len(flag_files())
        assert sum(found.values()) == 676
        told = re.findall(r'^[A-Z]{2} (OK|not found|error)', ending.stdout, re.M)
        assert found['downloaded'] >= told.count('OK')
        assert found.get('found', 0) >= told.count('not found')
        assert found.get('error', 0) >= told.count('error')
        assert not [name for name in flag_files() if name.startswith('.')]
        assert (ending.status, complaints(ending.stderr)) == (-2, [])
        assert ending.seconds < SOON


CTRL_C = 'import os, signal', 'os.kill(os.getpid(), signal.SIGINT)'


@pytest.mark.parametrize('script', ['flags.py', 'flags_asyncio.py'])
def test_ctrl_c_while_a_script_imports_httpx_leaves_no_traceback(
    script: str, run_script: RunScript
) -> None:
    run = run_script(script, '-s', 'LOCAL', **with_module('httpx', *CTRL_C))
    assert (run.returncode, run.stdout, run.stderr) == (-2, '', '')


def test_ctrl_c_in_a_program_of_others_does_what_it_always_does(
    run_script: RunScript, tmp_path: Path
) -> None:
    (tmp_path / 'other.py').write_text('\n'.join(['import flags', *CTRL_C]), 'utf-8')
    run = run_script('other.py', folder=tmp_path, PYTHONPATH=str(ROOT))
    assert run.returncode == -2
    assert run.stderr.endswith('\nKeyboardInterrupt\n')


@pytest.mark.parametrize('script', FLAGS2)
def test_report_after_ctrl_c_counts_each_answer_once(
    script: str, start_script: StartScript
) -> None:
    kinds = {'answers 404': 3, 'answers 500': 2, 'redirects once': 4, 'never answers': 11}
    in_turn = [kind for kind, count in kinds.items() for _ in range(count)]
    behaviors = dict(zip(sorted(POP20_CC), in_turn, strict=True))
    with raw_server(partial(by_code, behaviors)) as server:
        process = start_script(script, '-m', 20, '-s', server.url)
        wait_until(lambda: Path('downloaded').exists() and len(flag_files()) == 4)
        time.sleep(0.5)  # until all answers are counted
        press_ctrl_c(process)
        ending = ending_of(process)
    assert re.search(r' 9/20 \[.*it/s\]\n', ending.stderr)  # nothing stands behind the bar
    assert counts(ending.stdout) == {'downloaded': 4, 'found': 3, 'error': 2, 'cancelled': 11}
    assert [line.partition(' - ')[0][-14:] for line in complaints(ending.stderr)] == [
        'HTTP error 500'
    ]


SIGNAL_WHILE_A_LOOP_IS_MADE = """
import asyncio.selector_events, os, signal
loop_class = asyncio.selector_events.BaseSelectorEventLoop
make_pipe = loop_class._make_self_pipe
def interrupted(self):
    os.kill(os.getpid(), signal.SIGTERM)
    make_pipe(self)
loop_class._make_self_pipe = interrupted
"""


def test_signal_while_the_event_loop_is_made_leaves_one_line(
    run_script: RunScript, fast_server: Server
) -> None:
    environ = with_sitecustomize(SIGNAL_WHILE_A_LOOP_IS_MADE)
    result = run_script('flags_asyncio.py', '-s', fast_server.url, **environ)
    assert (result.returncode, result.stderr) == (-15, 'flags_asyncio.py: interrupted\n')


SIGNAL_WHILE_A_PROCESS_STARTS = """
import multiprocessing.util, os, signal
spawn = multiprocessing.util.spawnv_passfds
def interrupted(path, args, fds):
    pid = spawn(path, args, fds)
    if any(b'spawn_main' in os.fsencode(arg) for arg in args):
        os.kill(os.getpid(), signal.SIGTERM)
    return pid
multiprocessing.util.spawnv_passfds = interrupted
"""


def test_signal_while_a_process_starts_leaves_one_line() -> None:
    """The process must not miss what it is to work on."""
    environ = os.environ | with_sitecustomize(SIGNAL_WHILE_A_PROCESS_STARTS)
    with started(command('proc_pool.py', 2, method='spawn'), env=environ) as process:
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (-15, 'proc_pool.py: interrupted\n')


@pytest.mark.parametrize('script', ['flags_processpool.py', *FLAGS2[1:]])
def test_nothing_is_requested_after_ctrl_c(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.4)
    process = start_script(script, '-s', server.url, *(['-a'] if script in FLAGS2 else []))
    wait_until(server.requests)
    press_ctrl_c(process)
    pressed = server.now()
    ending_of(process)
    time.sleep(0.5)  # until the server has noticed which clients are gone
    assert max(request['start'] for request in server.requests()) < pressed + 0.3


@pytest.mark.parametrize('script', FLAGS2[1:])
def test_report_is_not_lost_if_the_server_has_reset_kept_connections(
    script: str, start_script: StartScript
) -> None:
    """Let all of forty workers but the first get a flag, and keep a connection that is dead."""
    numbers, all_ask = itertools.count(1), threading.Barrier(40)

    def answer_all_but_one(conn: socket.socket) -> None:
        number = next(numbers)
        request_path(conn)
        all_ask.wait(PATIENCE)
        if number == 1:
            left(conn)
            return
        conn.sendall(KEPT)
        time.sleep(0.3)  # a reset would discard what the client has not read yet
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))

    with raw_server(answer_all_but_one) as server:
        process = start_script(script, '-al', 40, '-m', 40, '-s', server.url)
        wait_until(lambda: Path('downloaded').exists() and len(flag_files()) == 39)
        time.sleep(0.5)  # until the connections are reset
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, complaints(ending.stderr)) == (-2, [])
    assert counts(ending.stdout) == {'downloaded': 39, 'cancelled': 1}
    assert ending.seconds < SOON


@pytest.mark.parametrize(
    ('script', 'shell', 'name', 'told'),
    [
        ('flags2_threadpool.py', 'exec nohup "$@"', 'SIGHUP', '20 flags downloaded.\n'),
        ('flags_processpool.py', '"$@" &', 'SIGINT', '20 downloads in '),
    ],
    ids=['nohup', 'background job'],
)
def test_signal_that_is_ignored_stays_ignored(
    script: str, shell: str, name: str, told: str, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    args = command(script, '-s', server.url, *(['-m', '2'] if script in FLAGS2 else []))
    with started(['sh', '-c', shell, 'sh', *args]) as process:
        wait_until(server.requests)
        send(process, name)
        ending = ending_of(process)
    assert told in ending.stdout
    assert ending.status == 0
    assert len(flag_files()) == 20


def test_main_thread_that_computes_gets_a_keyboard_interrupt(start_script: StartScript) -> None:
    ending = interrupted(start_script(JOBS, 'compute'), 'SIGTERM')
    assert ending.stdout == 'KeyboardInterrupt\n'
    check(ending, 'jobs.py', 'SIGTERM')


def test_lock_that_nobody_releases_does_not_delay_the_end(start_script: StartScript) -> None:
    ending = interrupted(start_script(JOBS, 'leave_a_lock_taken'))
    check(ending, 'jobs.py')
    assert ending.stdout == 'done\n'  # what is registered for the exit is done


def test_loop_that_is_blocked_does_not_delay_the_end_though_no_thread_can_keep_time(
    start_script: StartScript,
) -> None:
    check(interrupted(start_script(JOBS, 'block_a_loop'), 'SIGTERM'), 'jobs.py', 'SIGTERM')


def test_ctrl_c_needs_no_ctypes(start_script: StartScript, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has none if it was built where libffi is missing."""
    monkeypatch.setenv('PYTHONPATH', without('_ctypes')['PYTHONPATH'])
    check(interrupted(start_script('demo_executor_map.py')), 'demo_executor_map.py')


def test_last_words_come_within_a_second_and_may_take_a_while(start_script: StartScript) -> None:
    """Have two more tries on a busy machine; the words themselves take 0.3 seconds."""
    for _ in range(3):
        ending = interrupted(start_script(JOBS, 'speak_slowly'))
        assert (ending.status, ending.stderr) == (-2, 'jobs.py: goodbye\n')
        if ending.seconds < 1.5:
            break
    assert 0.9 < ending.seconds < 1.5


def test_signals_after_the_first_change_nothing(start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        process = start_script('flags2_threadpool.py', '-s', server.url)
        wait_until(lambda: server.connections)
        for name in ('SIGHUP', 'SIGINT', 'SIGTERM'):
            send(process, name)
            time.sleep(0.1)
        ending = ending_of(process)
    check(ending, 'flags2_threadpool.py', 'SIGHUP')


@pytest.mark.parametrize('job', ['speak_slowly', 'compute'])
def test_last_words_that_nobody_reads_do_not_delay_the_end(job: str) -> None:
    """They are said by the clock's thread, or by the main one."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while os.write(writer, bytes(1)):
            pass
    os.set_blocking(writer, True)
    with started(command(JOBS, job), stderr=writer) as process:
        os.close(writer)
        first_line(process)
        send(process, 'SIGTERM')
        assert process.wait(SOON) == -15
    os.close(reader)


def test_output_that_nobody_reads_does_not_delay_the_end(start_script: StartScript) -> None:
    job = start_script(JOBS, 'print_lines', 10**9, 'flush')
    first_line(job)
    time.sleep(0.5)  # until the pipe is full
    press_ctrl_c(job)
    assert job.wait(SOON) == -2


def test_signal_to_a_forked_process_does_not_disturb_its_parent(start_script: StartScript) -> None:
    job = start_script(JOBS, 'fork')
    os.kill(int(first_line(job)), signal.SIGTERM)
    assert job.communicate(timeout=PATIENCE) == ('143\n', '')
    assert job.returncode == 0


@pytest.mark.parametrize(
    ('method', 'name'), [*[(each, 'SIGINT') for each in METHODS], (METHODS[0], 'SIGKILL')]
)
def test_worker_process_completes_a_file_before_it_ends(
    method: str, name: str, start_script: StartScript
) -> None:
    job = start_script(JOBS, 'write_in_processes', method)
    assert first_line(job) == 'ready'
    send(job, name, 'process')
    wait_until(lambda: not members(job.pid))
    assert Path('whole').read_bytes() == b'all of it'
    assert [path.name for path in Path.cwd().iterdir()] == ['whole']


def test_process_can_be_ended_as_soon_as_it_has_started(run_script: RunScript) -> None:
    run = run_script(JOBS, 'end_processes')
    assert (run.returncode, run.stderr) == (0, '')


def test_ctrl_c_after_all_work_is_done_leaves_no_traceback(start_script: StartScript) -> None:
    ending = interrupted(start_script(JOBS, 'take_a_while_to_exit'))
    assert (ending.status, ending.stderr) == (-signal.SIGINT, '')
    assert ending.seconds < SOON


def test_ctrl_c_while_an_error_is_told_leaves_no_traceback(start_script: StartScript) -> None:
    ending = interrupted(start_script(JOBS, 'fail_slowly'))
    assert ending.stderr == 'jobs.py: no such luck\n'
    assert ending.status in (1, -2)


@pytest.mark.parametrize('shell', ['bash', 'dash', 'zsh'])
@pytest.mark.parametrize('script', ['flags_threadpool.py', 'demo_executor_map.py'])
def test_ctrl_c_ends_the_loop_of_a_shell(
    script: str, shell: str, start_server: StartServer
) -> None:
    """Also if the script is ended in the midst of what cannot be broken off."""
    if not shutil.which(shell):
        pytest.skip(f'there is no {shell}')
    server = start_server('--min-delay', 0.1, '--max-delay', 5)
    options = ['-s', server.url] if script.startswith('flags') else []
    loop = 'for round in 1 2 3; do "$@"; echo after; done'
    with started([shell, '-c', loop, shell, *command(script, *options)]) as process:
        assert process.stdout
        process.stdout.read(1)
        time.sleep(0.3)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (-2, f'{script}: interrupted\n')
    assert 'after' not in ending.stdout
    assert ending.seconds < SOON


def test_first_process_of_a_container_ends_with_the_status_of_the_signal() -> None:
    container = ['unshare', '--pid', '--fork', '--mount-proc']
    if not shutil.which('unshare') or subprocess.call([*container, 'true'], timeout=PATIENCE):
        pytest.skip('only root can start a container')
    with (
        misbehaving('never answers') as server,
        started([*container, *command('flags_threadpool.py', '-s', server.url)]) as process,
    ):
        wait_until(lambda: server.connections)
        time.sleep(0.3)
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (130, 'flags_threadpool.py: interrupted\n')
