"""The script with a pool of processes, however these are started."""

import pytest
from conftest import PATIENCE, RunScript, Server, StartServer, command, started
from cpu_tools import METHODS, PROCESSES
from promises import FlagsPromises, one_line

SCRIPT = 'flags_processpool.py'


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = SCRIPT
    connections = PROCESSES


@pytest.mark.parametrize('method', METHODS)
def test_server_is_known_to_processes_started_in_any_way_and_their_failure_to_the_script(
    method: str, run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--error-rate', 1, '--max-delay', 0)
    run = run_script(SCRIPT, '-s', server.url, method=method)
    assert run.returncode == 1
    assert "HTTP error 418 - I'm a Teapot: " in run.stderr
    assert server.url in run.stderr
    assert one_line(SCRIPT, run.stderr)


@pytest.mark.parametrize('method', METHODS)
def test_its_processes_are_one_client(
    method: str, run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.1, '--max-delay', 0.1)
    run_script(SCRIPT, '-s', server.url, method=method)
    requests = server.first_requests(20)
    assert len({request['lane'] for request in requests}) == PROCESSES
    ((_, process),) = {(request['run'], request['process']) for request in requests}
    assert process


@pytest.mark.parametrize('method', METHODS)
def test_profiler_can_run_it_though_it_is_no_module_then(method: str, fast_server: Server) -> None:
    python, *words = command(SCRIPT, '-s', fast_server.url, method=method)
    with started([python, '-m', 'cProfile', *words]) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, '')
    assert '\n20 downloads in ' in stdout
    assert ' function calls ' in stdout
