"""The threaded script of the second series."""

from conftest import RunScript, Server, needs_many_files
from endings import counts
from promises import Flags2Promises


class TestPromises(Flags2Promises):
    """What all scripts of the series promise."""

    script = 'flags2_threadpool.py'
    downloads_in = 'flags2_sequential.py'


@needs_many_files
def test_676_threads_find_194_flags(run_script: RunScript, fast_server: Server) -> None:
    args = ['-e', '-m', 676, '-s', fast_server.url]
    # Requests would take too long in Python's development mode
    run = run_script('flags2_threadpool.py', *args, PYTHONDEVMODE='')
    assert '\n676 concurrent connections will be used.\n' in run.stdout
    assert counts(run.stdout) == {'downloaded': 194, 'found': 482}
