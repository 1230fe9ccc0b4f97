"""The help of every script, and how scripts can be run."""

import pytest
from conftest import ROOT, RunScript
from endings import FLAGS, FLAGS2

SCRIPTS = sorted(
    path.name for path in ROOT.glob('*.py') if path.read_text('utf-8').startswith('#!')
)


@pytest.mark.parametrize('script', SCRIPTS)
def test_help(script: str, run_script: RunScript) -> None:
    run = run_script(script, '-h')
    assert (run.returncode, run.stderr) == (0, '')
    assert run.stdout.startswith(f'usage: {script} ')
    if script == 'flags_threadpool_futures.py':
        assert 'Download five flags' in run.stdout
    if script in FLAGS + FLAGS2:
        assert 'or a base URL' in ' '.join(run.stdout.split())
