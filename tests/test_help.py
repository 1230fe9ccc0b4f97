"""The help of every script, which is run by its path where files can be executed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, command
from endings import FLAGS, FLAGS2

SCRIPTS = sorted(
    path.name for path in ROOT.glob('*.py') if "__name__ == '__main__'" in path.read_text('utf-8')
)
BY_PATH = os.name == 'posix' and os.access(ROOT / 'flags.py', os.X_OK)  # not so in a ZIP file


@pytest.mark.parametrize('script', SCRIPTS)
def test_help(script: str) -> None:
    args = [str(ROOT / script), '-h'] if BY_PATH else command(script, '-h')
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    environ = os.environ | {'PATH': path}
    run = subprocess.run(args, env=environ, capture_output=True, encoding='utf-8', timeout=PATIENCE)
    assert (run.returncode, run.stderr) == (0, '')
    assert run.stdout.startswith(f'usage: {script} ')
    if script == 'flags_threadpool_futures.py':
        assert 'Download five flags' in run.stdout
    if script in FLAGS + FLAGS2:
        assert 'or a base URL' in ' '.join(run.stdout.split())
