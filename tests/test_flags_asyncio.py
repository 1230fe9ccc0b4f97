"""The script with coroutines."""

import pytest
from conftest import RunScript, Server, StartServer, flag_files
from promises import FlagsPromises

import flags
import flags_asyncio


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags_asyncio.py'


def test_codes_are_printed_in_the_order_of_completion(
    run_script: RunScript, start_server: StartServer
) -> None:
    server = start_server('--min-delay', 0.05, '--max-delay', 0.3)
    codes = run_script('flags_asyncio.py', '-s', server.url).stdout.splitlines()[0].split()
    assert sorted(codes) == sorted(flags.POP20_CC)
    assert codes != sorted(codes)


def test_download_many_returns_how_many(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    flags.DEST_DIR.mkdir()
    assert flags_asyncio.download_many(['US', 'BR', 'CN']) == 3
    assert flag_files() == ['BR.gif', 'CN.gif', 'US.gif']
    assert flags_asyncio.download_many([]) == 0


def test_all_requests_are_sent_at_once(run_script: RunScript, start_server: StartServer) -> None:
    server = start_server('--min-delay', 0.5, '--max-delay', 0.6)
    run_script('flags_asyncio.py', '-s', server.url)
    requests = server.first_requests(20)
    first_answer = min(request['start'] + request['delay'] for request in requests)
    assert max(request['start'] for request in requests) < first_answer
