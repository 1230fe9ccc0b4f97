"""The script with coroutines."""

import pytest
from conftest import RunScript, StartServer, flag_files
from raw_server import misbehaving

import flags
import flags_asyncio


def test_all_20_are_requested_at_once(run_script: RunScript, start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.5, '--max-delay', 0.5)
    run_script('flags_asyncio.py', '-s', server.url)
    requests = server.first_requests(20)
    first_end = min(request['end'] for request in requests)
    assert all(request['start'] < first_end for request in requests)


def test_codes_are_printed_in_the_order_of_completion(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.3)
    codes = run_script('flags_asyncio.py', '-s', server.url).stdout.splitlines()[0].split()
    assert sorted(codes) == sorted(flags.POP20_CC)
    assert codes != sorted(codes)


@pytest.mark.parametrize('behavior', ['answers 500', 'ends half-way', 'refuses'])
def test_failures_at_the_same_time_are_told_once(behavior: str, run_script: RunScript) -> None:
    with misbehaving(behavior) as server:
        run = run_script('flags_asyncio.py', '-s', server.url)
    assert run.stderr.count('\n') == 1
    assert flag_files() == []


def test_download_many_returns_how_many(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', start_server('--max-delay', 0).url)
    flags.DEST_DIR.mkdir()
    assert flags_asyncio.download_many(['US', 'BR', 'CN']) == 3
    assert flag_files() == ['BR.gif', 'CN.gif', 'US.gif']
    assert flags_asyncio.download_many([]) == 0
