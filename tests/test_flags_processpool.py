"""The script with a pool of processes, however these are started."""

import os
import random
import signal
import time
from concurrent.futures import ProcessPoolExecutor

import pytest
from conftest import PATIENCE, Server, StartScript, flag_files, running_here, wait_until
from cpu_tools import METHODS
from raw_server import misbehaving

from flags import POP20_CC

SCRIPT = 'flags_processpool.py'
WORKERS = min(ProcessPoolExecutor()._max_workers, len(POP20_CC))  # type: ignore[attr-defined]
INTERRUPTED = f'{SCRIPT}: interrupted\n'


@pytest.mark.parametrize('method', METHODS)
def test_choice_of_server_reaches_processes_started_in_any_way(
    method: str, start_script: StartScript, fast_server: Server
) -> None:
    script = start_script(SCRIPT, '-s', fast_server.url, method=method)
    stdout, stderr = script.communicate(timeout=PATIENCE)
    assert (script.returncode, stderr) == (0, '')
    assert sorted(stdout.splitlines()[0].split()) == sorted(POP20_CC)
    assert flag_files() == [f'{cc}.gif' for cc in sorted(POP20_CC)]


def test_failure_passes_from_spawned_processes(start_script: StartScript) -> None:
    with misbehaving('answers 500') as server:
        script = start_script(SCRIPT, '-s', server.url, method='spawn')
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert script.returncode == 1
    assert stderr.startswith(f'{SCRIPT}: HTTP error 500 - Internal Server Error: {server.url}')
    assert stderr.count('\n') == 1


@pytest.mark.parametrize('method', METHODS)
def test_ctrl_c_ends_processes_started_in_any_way(method: str, start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        script = start_script(SCRIPT, '-s', server.url, method=method)
        wait_until(lambda: len(server.connections) == WORKERS, PATIENCE)
        os.killpg(script.pid, signal.SIGINT)
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert (script.returncode, stderr) == (130, INTERRUPTED)
    wait_until(lambda: running_here() == {})


@pytest.mark.parametrize('method', METHODS)
def test_ctrl_c_while_processes_start_is_told_in_one_line(
    method: str, start_script: StartScript, rng: random.Random
) -> None:
    with misbehaving('never answers') as server:
        script = start_script(SCRIPT, '-s', server.url, method=method)
        wait_until(lambda: len(running_here()) > 1, PATIENCE)
        time.sleep(rng.uniform(0, 0.3))
        os.killpg(script.pid, signal.SIGINT)
        stderr = script.communicate(timeout=PATIENCE)[1]
    assert (script.returncode, stderr) == (130, INTERRUPTED)
    wait_until(lambda: running_here() == {})


@pytest.mark.parametrize('method', METHODS)
def test_processes_do_not_outlive_the_script(method: str, start_script: StartScript) -> None:
    with misbehaving('never answers') as server:
        script = start_script(SCRIPT, '-s', server.url, method=method)
        wait_until(lambda: len(server.connections) == WORKERS, PATIENCE)
        script.kill()
        wait_until(lambda: running_here() == {})
