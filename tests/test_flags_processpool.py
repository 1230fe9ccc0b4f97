"""The script with a pool of processes, however these are started."""

from concurrent.futures import ProcessPoolExecutor

import pytest
from conftest import PATIENCE, Server, StartScript, flag_files
from cpu_tools import METHODS
from promises import FlagsPromises, one_line
from raw_server import misbehaving

from flags import POP20_CC

SCRIPT = 'flags_processpool.py'


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = SCRIPT
    connections = ProcessPoolExecutor()._max_workers  # type: ignore[attr-defined]


@pytest.mark.parametrize('method', METHODS)
def test_choice_of_server_reaches_processes_started_in_any_way(
    method: str, start_script: StartScript, fast_server: Server
) -> None:
    script = start_script(SCRIPT, '-s', fast_server.url, method=method)
    stdout, stderr = script.communicate(timeout=PATIENCE)
    assert (script.returncode, stderr) == (0, '')
    assert sorted(stdout.splitlines()[0].split()) == sorted(POP20_CC)
    assert flag_files() == [f'{cc}.gif' for cc in sorted(POP20_CC)]


@pytest.mark.parametrize('method', METHODS)
def test_failure_passes_from_processes_started_in_any_way(
    method: str, start_script: StartScript
) -> None:
    with misbehaving('answers 500') as server:
        script = start_script(SCRIPT, '-s', server.url, method=method)
        _, stderr = script.communicate(timeout=PATIENCE)
    assert script.returncode == 1
    assert stderr.startswith(f'{SCRIPT}: HTTP error 500 - Internal Server Error: {server.url}')
    assert one_line(SCRIPT, stderr)
