"""The downloading scripts with httpx2, which is developed further, in place of httpx."""

from functools import partial
from importlib.util import find_spec

import pytest
from conftest import RunScript, Server, flag_files, project_copy, without
from promises import Flags2Promises
from raw_server import misbehaving

pytestmark = pytest.mark.skipif(not find_spec('httpx2'), reason='httpx2 is not installed')


@pytest.fixture
def run_with_httpx2(run_script: RunScript) -> RunScript:
    """Run scripts of a copy of the project that imports the other library by the same name."""
    copy = project_copy()
    for path in copy.rglob('*.py'):
        text = path.read_text('utf-8')
        if '\nimport httpx\n' in text:
            path.write_text(text.replace('\nimport httpx\n', '\nimport httpx2 as httpx\n'), 'utf-8')
    return partial(run_script, folder=copy, **without('httpx'))


@pytest.mark.parametrize('script', ['flags_processpool.py', 'flags_asyncio.py'])
def test_first_series_downloads_or_tells_its_failure(
    script: str, run_with_httpx2: RunScript, fast_server: Server
) -> None:
    run = run_with_httpx2(script, '-s', fast_server.url)
    assert (run.returncode, run.stderr) == (0, '')
    assert f'\n{len(flag_files())} downloads in ' in run.stdout
    assert {request['agent'] for request in fast_server.first_requests(5)} == {script}
    with misbehaving('answers 500') as server:
        run = run_with_httpx2(script, '-s', server.url)
    assert run.returncode == 1
    assert run.stderr.startswith(f'{script}: HTTP error 500 - Internal Server Error: ')


@pytest.mark.parametrize('script', ['flags2_threadpool.py', 'flags2_asyncio.py'])
def test_second_series_tells_what_has_become_of_each_flag(
    script: str, run_with_httpx2: RunScript
) -> None:
    promises = Flags2Promises()
    promises.script = script
    promises.test_each_kind_of_failure_is_told_with_its_code(run_with_httpx2)
