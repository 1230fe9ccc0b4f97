"""The script that shows futures."""

import re

import pytest
from conftest import RunScript, Script, StartServer

FUTURE = r'<Future at 0x[0-9a-f]+ state='


@pytest.fixture
def run(run_script: RunScript, start_server: StartServer) -> Script:
    """Run the script on a server with some latency."""
    server = start_server('--min-delay', 0.1, '--max-delay', 0.2)
    return run_script('flags_threadpool_futures.py', '-s', server.url)


def test_each_future_is_shown_with_its_result(run: Script) -> None:
    results = re.findall(rf"{FUTURE}finished returned str> result: '(\w+)'$", run.stdout, re.M)
    assert results[0] in ('BR', 'CN', 'ID')
    assert sorted(results) == ['BR', 'CN', 'ID', 'IN', 'US']
    assert re.fullmatch(r'5 downloads in \d+\.\d\ds', run.stdout.splitlines()[-1])
