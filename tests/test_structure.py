"""What a reader of the chapter looks for in the scripts, and on what helpers depend."""

import ast
import asyncio
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from comparisons import needs_matplotlib
from conftest import ROOT, Server

import flags
import flags2_asyncio
import flags2_sequential
import flags_asyncio
from support import clients

# What a reader finds in the script itself: the names and signatures of the book
COUNTER = 'collections.Counter[flags2_common.DownloadStatus]'
DOWNLOAD_MANY = '(cc_list: list[str]) -> int'
DOWNLOAD_AND_COUNT = (
    f'(cc_list: list[str], base_url: str, verbose: bool, concur_req: int) -> {COUNTER}'
)
SIGNATURES = {
    'flags': {
        'save_flag': '(img: bytes, filename: str) -> None',
        'get_flag': '(cc: str) -> bytes',
        'download_many': DOWNLOAD_MANY,
        'main': '(downloader: collections.abc.Callable[[list[str]], int]) -> None',
    },
    'flags_threadpool': {'download_one': '(cc: str) -> str', 'download_many': DOWNLOAD_MANY},
    'flags_processpool': {'download_one': '(cc: str) -> str', 'download_many': DOWNLOAD_MANY},
    'flags_threadpool_futures': {'download_many': DOWNLOAD_MANY},
    'flags_asyncio': {'download_many': DOWNLOAD_MANY},
    'flags2_sequential': {
        'get_flag': '(base_url: str, cc: str) -> bytes',
        'download_one': '(cc: str, base_url: str, verbose: bool = False)'
        ' -> flags2_common.DownloadStatus',
        'download_many': DOWNLOAD_AND_COUNT.replace('concur_req', '_unused_concur_req'),
    },
    'flags2_threadpool': {'download_many': DOWNLOAD_AND_COUNT},
    'flags2_asyncio': {'download_many': DOWNLOAD_AND_COUNT},
    'primes': {'is_prime': '(n: int) -> bool'},
    'proc_pool': {'check': '(n: int) -> proc_pool.PrimeResult', 'main': '() -> None'},
    'demo_executor_map': {
        'display': '(*args: object) -> None',
        'loiter': '(n: float) -> float',
        'main': '() -> None',
    },
}
CONCURRENCY = {
    'flags2_sequential': (1, 1),
    'flags2_threadpool': (30, 1000),
    'flags2_asyncio': (30, 1000),
}


@pytest.mark.parametrize('script', SIGNATURES)
def test_functions_have_the_signatures_of_the_book(script: str) -> None:
    module = importlib.import_module(script)
    functions = {name: getattr(module, name) for name in SIGNATURES[script]}
    found = {name: str(inspect.signature(each)) for name, each in functions.items()}
    assert found == SIGNATURES[script]
    assert {each.__module__ for each in functions.values()} == {script}


@pytest.mark.parametrize('script', CONCURRENCY)
def test_scripts_have_the_concurrency_of_the_book(script: str) -> None:
    module = importlib.import_module(script)
    assert CONCURRENCY[script] == (module.DEFAULT_CONCUR_REQ, module.MAX_CONCUR_REQ)


def test_flags_are_waited_for_as_long_as_in_the_book(
    fast_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than the slowest of its servers takes."""
    sent: list[httpx.Request] = []

    async def note(request: httpx.Request) -> None:
        sent.append(request)

    async def get_flags() -> None:
        async with clients.AsyncClient(event_hooks={'request': [note]}) as client:
            await flags_asyncio.get_flag(client, 'BR')
            await flags2_asyncio.get_flag(client, fast_server.url, 'BR')

    monkeypatch.setattr(flags, 'BASE_URL', fast_server.url)
    client = clients.own_client(clients.origin(fast_server.url))
    monkeypatch.setattr(client, 'event_hooks', {'request': [sent.append]})
    flags.get_flag('BR')
    flags2_sequential.get_flag(fast_server.url, 'BR')
    asyncio.run(get_flags())
    assert [request.extensions['timeout']['read'] for request in sent] == [6.1] * 4


@pytest.mark.parametrize(
    ('helpers', 'above'),
    [
        ('support', 'comparing'),
        ('serving', 'comparing'),
        pytest.param('comparing', '', marks=needs_matplotlib),
    ],
)
def test_helpers_import_no_script(helpers: str, above: str) -> None:
    files = {path.stem for path in ROOT.glob(f'{helpers}/[a-z]*.py')}
    names = ', '.join(f'{helpers}.{name}' for name in files)
    code = f'import sys, {names}; print(*sys.modules)'
    run = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    scripts = {path.stem for path in ROOT.glob('*.py')}
    assert {*run.stdout.split()} & (scripts | {above}) == set()


def levels() -> dict[str, int]:
    """Return how far each helper is indented in the map, where what it may call is further so."""
    text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
    plan = text.partition('## How the helpers hang together')[2].partition('\n##')[0]
    lines = re.findall(r'^( {6,})(\S+(?:  \S+)*) {3,}\S', plan, re.M)
    return {name: len(indent) for indent, names in lines for name in names.split()}


def imported(file: Path) -> set[str]:
    """Return the names of the helpers in support/ that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text('utf-8'))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f'{node.module}.{alias.name}' for alias in node.names}
    return {name.split('.')[1] for name in names if name.startswith('support.')}


def test_helpers_import_what_stands_below_them_in_the_map() -> None:
    level = levels()
    files = {path.stem: path for path in ROOT.glob('support/[a-z]*.py')}
    assert sorted(level) == sorted(files)
    arrows = [(name, other) for name, file in files.items() for other in imported(file)]
    assert [(name, other) for name, other in arrows if level[name] >= level[other]] == []
    assert ('clients', 'answers') in arrows


def test_tests_of_every_helper_are_named_and_exist() -> None:
    text = (ROOT / 'CONTRIBUTING.md').read_text('utf-8')
    rows = re.findall(r'^\| (`support/.*) \| (`tests/.*) \| [\d, ]+ \|$', text, re.M)
    helpers, tests = (
        re.findall(r'`(.*?)`', ' '.join(column)) for column in zip(*rows, strict=True)
    )
    assert sorted(helpers) == sorted(
        f'support/{path.name}' for path in ROOT.glob('support/[a-z]*.py')
    )
    assert [name for name in tests if not (ROOT / name).exists()] == []
