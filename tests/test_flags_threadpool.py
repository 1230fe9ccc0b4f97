"""The script with a pool of threads."""

from pathlib import Path

import pytest
from conftest import Server, flag_files

import flags
import flags_threadpool


def test_download_one_returns_the_code(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    Path('downloaded').mkdir()
    assert flags_threadpool.download_one('BR') == 'BR'
    assert flags_threadpool.download_many(['US', 'CN']) == 2
    assert flag_files() == ['BR.gif', 'CN.gif', 'US.gif']
    assert sorted(capsys.readouterr().out.split()) == ['BR', 'CN', 'US']
