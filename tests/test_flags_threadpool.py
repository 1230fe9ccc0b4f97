"""The script with a pool of threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import PATIENCE, Server, StartScript, StartServer, flag_files
from promises import FlagsPromises

import flags
import flags_threadpool


class TestPromises(FlagsPromises):
    """What all scripts of the series promise."""

    script = 'flags_threadpool.py'
    connections = ThreadPoolExecutor()._max_workers


def test_download_one_returns_the_code_and_download_many_how_many(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    flags.DEST_DIR.mkdir()
    assert flags_threadpool.download_one('BR') == 'BR'
    assert flags_threadpool.download_many(['US', 'CN']) == 2
    assert flag_files() == ['BR.gif', 'CN.gif', 'US.gif']
    assert sorted(capsys.readouterr().out.split()) == ['BR', 'CN', 'US']


def test_three_runs_in_one_folder_do_not_disturb_each_other(
    start_script: StartScript, start_server: StartServer
) -> None:
    server = start_server('--max-delay', 0.05)
    runs = [start_script('flags_threadpool.py', '-s', server.url) for _ in range(3)]
    assert [run.communicate(timeout=PATIENCE)[1] for run in runs] == ['', '', '']
    assert flag_files() == [f'{cc}.gif' for cc in sorted(flags.POP20_CC)]
