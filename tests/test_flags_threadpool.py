"""The script with a pool of threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import RunScript, Server, StartServer, flag_files

import flags
import flags_threadpool


def test_order_of_completion_varies(run_script: RunScript, start_server: StartServer) -> None:
    server = start_server('--min-delay', 0, '--max-delay', 0.1)
    lines = {
        run_script('flags_threadpool.py', '-s', server.url).stdout.splitlines()[0] for _ in range(3)
    }
    assert len(lines) > 1


def test_as_many_downloads_at_once_as_the_pool_has_threads_by_default(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.3, '--max-delay', 0.3)
    run_script('flags_threadpool.py', '-s', server.url)
    requests = server.first_requests(20)
    first_end = min(request['end'] for request in requests)
    at_once = sum(request['start'] < first_end for request in requests)
    assert at_once == min(20, ThreadPoolExecutor()._max_workers)


def test_download_one_returns_the_code(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    Path('downloaded').mkdir()
    assert flags_threadpool.download_one('BR') == 'BR'
    assert flags_threadpool.download_many(['US', 'CN']) == 2
    assert flag_files() == ['BR.gif', 'CN.gif', 'US.gif']
    assert sorted(capsys.readouterr().out.split()) == ['BR', 'CN', 'US']
