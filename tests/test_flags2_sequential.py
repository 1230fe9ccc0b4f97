"""The sequential script of the second series."""

import subprocess

from conftest import PATIENCE, Server, command, flag_files, needs_posix
from endings import complaints, counts
from promises import Flags2Promises


class TestPromises(Flags2Promises):
    """What all scripts of the series promise."""

    script = downloads_in = 'flags2_sequential.py'
    workers = by_default = 1


@needs_posix
def test_full_disk_makes_errors_and_leaves_no_part_of_a_file(fast_server: Server) -> None:
    """Have a limit on the size of files stand in for the disk; the flag of ID is small."""
    args = command('flags2_sequential.py', '-s', fast_server.url, 'id', 'us', 'vn')
    limited = ['sh', '-c', 'ulimit -f 2; exec "$@"', 'sh', *args]
    run = subprocess.run(limited, capture_output=True, encoding='utf-8', timeout=PATIENCE)
    assert run.returncode == 1
    assert counts(run.stdout) == {'downloaded': 1, 'error': 2}
    told = 'flags2_sequential.py: US: File too large: downloaded/US.gif'
    assert complaints(run.stderr) == [told]
    assert flag_files() == ['ID.gif']
