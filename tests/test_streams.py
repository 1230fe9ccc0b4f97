"""What scripts do when nobody reads their output, when it finds no room, or a stream is closed."""

import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    RunScript,
    Server,
    StartScript,
    StartServer,
    command,
    copy_with_port,
    flag_files,
    members,
    needs_dask,
    needs_full_disk,
    needs_posix,
    press_ctrl_c,
    started,
    wait_until,
)
from cpu_tools import METHODS, PROCESSES, SMALL, SMALL_ENDS, copy_with_numbers, cpu_script
from endings import FLAGS2, SOON, ending_of
from raw_server import by_code, misbehaving, raw_server

JOBS = 'tests/jobs.py'
FULL, CLOSED = '2>/dev/full', '<&- >&- 2>&-'

needs_linux = pytest.mark.skipif(sys.platform != 'linux', reason='needs sockets that Linux has')


def leave(process: subprocess.Popen[str], lines: int = 1) -> None:
    """Read some lines, then none; check that the process ends soon, without a word."""
    assert process.stdout
    assert process.stderr
    for _ in range(lines):
        process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=PATIENCE) == -13
    assert process.stderr.read() == ''
    wait_until(lambda: not members(process.pid))


@needs_posix
@pytest.mark.parametrize(
    'script', ['flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py']
)
def test_reader_who_leaves_ends_the_first_series(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.1)
    process = start_script(script, '-s', server.url)
    assert process.stdout
    process.stdout.read(1)  # all codes stand on one line
    leave(process, lines=0)


@needs_posix
@pytest.mark.parametrize('method', METHODS)
def test_reader_who_leaves_ends_processes_before_they_have_done_all_their_work(
    method: str, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.5, '--max-delay', 0.6)
    process = start_script('flags_processpool.py', '-s', server.url, method=method)
    assert process.stdout
    process.stdout.read(1)
    start = time.monotonic()
    leave(process, lines=0)
    assert time.monotonic() - start < SOON
    assert len(server.requests()) < 4 * PROCESSES


@needs_posix
@pytest.mark.parametrize('script', ['flags.py', 'compare.py'])
def test_help_that_nobody_reads_is_no_error(script: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with started(command(script, '-h'), stdout=writer) as process:
        os.close(writer)
        assert process.communicate(timeout=PATIENCE)[1] == ''
    assert process.returncode == 0


@needs_posix
@pytest.mark.parametrize('script', FLAGS2)
def test_reader_who_leaves_ends_the_second_series(
    script: str, start_script: StartScript, start_server: StartServer
) -> None:
    """Have the first line that nobody reads be that of an error."""
    server = start_server('--min-delay', 0.02, '--max-delay', 0.04, '--error-rate', 1)
    leave(start_script(script, '-ev', '-s', server.url), lines=4)
    assert len(server.requests()) < 200


@needs_posix
@pytest.mark.parametrize(
    'words',
    [
        'proc_pool.py',
        'procs.py',
        'demo_executor_map.py',
        pytest.param('prime_pools.py 1 -x dask', marks=needs_dask),
    ],
)
def test_reader_who_leaves_ends_work_on_this_machine(words: str) -> None:
    script, *args = words.split()
    with cpu_script(script, *args, numbers=SMALL_ENDS) as process:
        leave(process)


@needs_posix
@pytest.mark.parametrize('flush', ['flush', 'no flush'])
def test_reader_who_leaves_is_noticed_at_any_write(flush: str, start_script: StartScript) -> None:
    leave(start_script(JOBS, 'print_lines', 10**9, flush))


@needs_posix
def test_socket_without_a_reader_is_an_error_like_others(run_script: RunScript) -> None:
    run = run_script(JOBS, 'write_to_a_closed_socket')
    assert (run.returncode, run.stdout, run.stderr) == (0, 'BrokenPipeError\n', '')


@needs_posix
def test_ctrl_c_may_end_the_reader_of_the_output_too(start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        process = start_script('flags_threadpool.py', '-s', server.url)
        wait_until(lambda: server.connections)
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        press_ctrl_c(process)
        ending = ending_of(process)
    assert (ending.status, ending.stderr) == (-2, 'flags_threadpool.py: interrupted\n')


def writes_of(args: list[str]) -> list[str]:
    """Return what a process writes on stdout, write by write: such a socket keeps them apart."""
    reader, writer = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with reader, started(args, stdout=writer):
        writer.close()
        return [write.decode() for write in iter(partial(reader.recv, 65536), b'')]


@needs_linux
@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py', 'prime_pools.py'])
def test_each_result_can_be_read_at_once(script: str) -> None:
    lines = writes_of(command(script, 1, folder=copy_with_numbers(SMALL)))
    assert [line.count('\n') for line in lines] == [1] * (1 + len(SMALL) + 1)


@needs_linux
@pytest.mark.parametrize('script', FLAGS2)
def test_each_outcome_can_be_read_at_once(script: str) -> None:
    behaviors = {'BR': 'redirects once', 'US': 'answers 500', 'ZZ': 'answers 404'}
    with raw_server(partial(by_code, behaviors)) as server:
        writes = writes_of(command(script, '-v', *behaviors, '-s', server.url))
    assert sorted(write.split()[1] for write in writes[1:4]) == ['OK', 'error:', 'not']
    assert [write.count('\n') for write in writes[1:4]] == [1, 1, 1]


@needs_linux
@pytest.mark.parametrize(
    ('script', 'lines'), [('flags_threadpool_futures.py', 1), *[(each, 3) for each in FLAGS2]]
)
def test_what_begins_can_be_read_before_the_first_download(
    script: str, lines: int, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.2, '--max-delay', 0.2)
    options = ['-v', 'br'] if script in FLAGS2 else []
    first, *_ = writes_of(command(script, *options, '-s', server.url))
    assert first.count('\n') == lines


def errors_on_a_full_disk(args: list[str]) -> str:
    """Return what a command that fails prints on stderr if there is no room for its output."""
    with Path('/dev/full').open('w', encoding='utf-8') as full:
        run = subprocess.run(
            args, stdout=full, stderr=subprocess.PIPE, encoding='utf-8', timeout=PATIENCE
        )
    assert run.returncode == 1
    return run.stderr


@needs_full_disk
@pytest.mark.parametrize(
    'script',
    ['flags_threadpool.py', 'flags_processpool.py', 'flags_asyncio.py', 'procs.py'],
)
def test_output_without_room_is_told_in_one_line(script: str, fast_server: Server) -> None:
    server = ['-s', fast_server.url] if script.startswith('flags') else []
    told = errors_on_a_full_disk(command(script, *server))
    assert told == f'{script}: No space left on device\n'


@needs_full_disk
def test_unbuffered_output_without_room_is_told_too(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PYTHONUNBUFFERED', '1')
    told = errors_on_a_full_disk(command('flags.py', '-s', fast_server.url))
    assert told == 'flags.py: No space left on device\n'


@needs_full_disk
@pytest.mark.parametrize(
    ('count', 'flush'), [(1, 'flush'), (1, 'no flush'), (10**5, 'no flush')], ids=str
)
def test_output_without_room_is_noticed_at_any_write(count: int, flush: str) -> None:
    told = errors_on_a_full_disk(command(JOBS, 'print_lines', count, flush))
    assert told == 'jobs.py: No space left on device\n'


@needs_full_disk
@pytest.mark.parametrize(
    ('script', 'streams'),
    [
        *[('flags2_threadpool.py', streams) for streams in (FULL, '2>&-', '>&-', '<&-')],
        *[(script, CLOSED) for script in ('flags.py', 'flags_processpool.py')],
    ],
)
def test_streams_that_take_nothing_do_not_keep_flags_from_being_saved(
    script: str, streams: str, free_port: int
) -> None:
    """Have it start a server, which must not mistake a connection for a stream."""
    folder = copy_with_port(8000, free_port)
    args = command(script, '-s', 'LOCAL', folder=folder)
    with started(['sh', '-c', f'exec "$@" {streams}', 'sh', *args]) as process:
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert 'Traceback' not in stderr
    assert len(flag_files()) == 20


@needs_full_disk
@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py'])
def test_closed_streams_do_not_matter_to_processes(script: str) -> None:
    args = command(script, 2, folder=copy_with_numbers(SMALL))
    with started(['sh', '-c', f'exec "$@" {CLOSED}', 'sh', *args]) as process:
        assert process.communicate(timeout=PATIENCE)[1] == ''
    assert process.returncode == 0
