"""The script with a pool of processes, however these are started."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import (
    PATIENCE,
    ROOT,
    Server,
    flag_files,
    running_here,
    started,
    wait_until,
)
from raw_server import misbehaving

from flags import POP20_CC

METHODS = multiprocessing.get_all_start_methods()
WORKERS = min(ProcessPoolExecutor()._max_workers, len(POP20_CC))  # type: ignore[attr-defined]

DRIVER = f"""
import multiprocessing, sys
sys.path.insert(0, {str(ROOT)!r})
import flags, flags_processpool
if __name__ == '__main__':
    multiprocessing.set_start_method(sys.argv.pop(1))
    flags.main(flags_processpool.download_many)
"""

StartDriver = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_driver(tmp_path: Path) -> Iterator[StartDriver]:
    """Start the script's download_many with processes that are started in some way."""
    driver = tmp_path / 'driver.py'
    driver.write_text(DRIVER)
    with ExitStack() as stack:

        def start(method: str, *args: str) -> subprocess.Popen[str]:
            command = [sys.executable, str(driver), method, *args]
            return stack.enter_context(started(command))

        yield start


@pytest.mark.parametrize('method', METHODS)
def test_choice_of_server_reaches_processes_started_in_any_way(
    method: str, start_driver: StartDriver, fast_server: Server
) -> None:
    script = start_driver(method, '-s', fast_server.url)
    stdout, stderr = script.communicate(timeout=PATIENCE)
    assert (script.returncode, stderr) == (0, '')
    assert sorted(stdout.splitlines()[0].split()) == sorted(POP20_CC)
    assert flag_files() == [f'{cc}.gif' for cc in sorted(POP20_CC)]


def test_failure_passes_from_spawned_processes(start_driver: StartDriver) -> None:
    with misbehaving('answers 500') as server:
        script = start_driver('spawn', '-s', server.url)
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert script.returncode == 1
    assert stderr.startswith('driver.py: HTTP error 500 - Internal Server Error: http://127.0.0.1')
    assert stderr.count('\n') == 1


@pytest.mark.parametrize('method', METHODS)
def test_ctrl_c_ends_processes_started_in_any_way(method: str, start_driver: StartDriver) -> None:
    with misbehaving('never answers') as server:
        script = start_driver(method, '-s', server.url)
        wait_until(lambda: len(server.connections) == WORKERS, PATIENCE)
        os.killpg(script.pid, signal.SIGINT)
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert script.returncode == 130
    assert stderr == 'driver.py: interrupted\n'
    wait_until(lambda: running_here() == {})


def test_processes_of_a_fork_server_do_not_outlive_the_script(start_driver: StartDriver) -> None:
    with misbehaving('never answers') as server:
        script = start_driver('forkserver', '-s', server.url)
        wait_until(lambda: len(server.connections) == WORKERS, PATIENCE)
        script.kill()
        wait_until(lambda: running_here() == {})


def test_ctrl_c_while_processes_start_is_told_in_one_line(start_driver: StartDriver) -> None:
    with misbehaving('never answers') as server:
        script = start_driver('forkserver', '-s', server.url)
        wait_until(lambda: len(running_here()) > 3, PATIENCE)
        os.killpg(script.pid, signal.SIGINT)
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert script.returncode == 130
    assert stderr == 'driver.py: interrupted\n'
