"""The downloading scripts with httpx2, which is developed further, in place of httpx."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import PATIENCE, Server, StartScript, StartServer, flag_files, project_copy
from endings import FLAGS, FLAGS2, complaints, counts

pytestmark = pytest.mark.skipif(not find_spec('httpx2'), reason='httpx2 is not installed')


@pytest.fixture
def folder() -> Path:
    """Return a copy of the project that imports the other library by the same name."""
    copy = project_copy()
    changed = 0
    for path in [*copy.glob('*.py'), *copy.glob('support/*.py')]:
        text = path.read_text('utf-8')
        if '\nimport httpx\n' in text:
            path.write_text(text.replace('\nimport httpx\n', '\nimport httpx2 as httpx\n'), 'utf-8')
            changed += 1
    assert changed
    return copy


@pytest.mark.parametrize('script', FLAGS)
def test_first_series_downloads(
    script: str, folder: Path, start_script: StartScript, fast_server: Server
) -> None:
    process = start_script(script, '-s', fast_server.url, folder=folder)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, '')
    assert f'\n{len(flag_files())} downloads in ' in stdout
    agents = {request['agent'] for request in fast_server.first_requests(5)}
    assert all(agent.startswith(script) for agent in agents)


@pytest.mark.parametrize('script', FLAGS2)
def test_second_series_reports(
    script: str, folder: Path, start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0, '--error-rate', 0.25)
    process = start_script(script, 'a', 'b', 'c', '-s', server.url, folder=folder)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    statuses = [request['status'] for request in server.first_requests(78)]
    found = {'downloaded': 200, 'found': 404, 'error': 418}
    assert counts(stdout) == {word: statuses.count(status) for word, status in found.items()}
    assert len(complaints(stderr)) == 1
    assert process.returncode == 1
