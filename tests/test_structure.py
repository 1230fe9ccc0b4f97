"""What a reader of the chapter looks for in the scripts, and how files depend on each other."""

import ast
import difflib
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, altered_copy
from cpu_tools import SMALL, answers

SCRIPTS = sorted(ROOT.glob('*.py'))
SOURCES = [*SCRIPTS, *sorted(ROOT.glob('support/*.py')), *sorted(ROOT.glob('comparing/*.py'))]
MAX_LINES = 40  # of a function

FLAGS = ['from concurrent import futures', 'from flags import get_flag, main, save_flag']
DOWNLOAD_ONE = [
    'def download_one(cc: str) -> str:',
    'image = get_flag(cc)',
    "save_flag(image, f'{cc}.gif')",
    "print(cc, end=' ', flush=True)",
    'return cc',
    'def download_many(cc_list: list[str]) -> int:',
]
GET_FLAG = [
    'cc = cc.lower()',
    '/{cc}/{cc}.gif',
    'get(url, timeout=6.1, follow_redirects=True)',
    'resp.raise_for_status()',
    'return resp.content',
]
STATUS = [
    'except httpx.HTTPStatusError as exc:',
    'if exc.response.status_code != HTTPStatus.NOT_FOUND:',
    'raise',
    'status = DownloadStatus.NOT_FOUND',
    'else:',
    "save_flag(image, f'{cc}.gif')",
    'status = DownloadStatus.OK',
    'if verbose:',
    'print(cc, msg',
    'return status',
]
ERRORS = [
    'except httpx.HTTPStatusError as exc:',
    "error_msg = f'HTTP error",
    'except Exception as exc:',
    'error_msg = ',
]
COUNT = [
    'else:',
    "error_msg = ''",
    'if error_msg:',
    'status = DownloadStatus.ERROR',
    'counter[status] += 1',
    'if verbose and error_msg:',
    "print(f'{cc} error: {error_msg}'",
]
CONCURRENCY = [
    'if __name__ ==',
    'main(download_many, DEFAULT_CONCUR_REQ, MAX_CONCUR_REQ)',
]

# In the order of each script, by the name of its file and the number of the example
VISIBLE = {
    '20-2 flags.py': [
        'import httpx',
        'POP20_CC = ',
        'BASE_URL = ',
        "DEST_DIR = Path('downloaded')",
        'def save_flag(img: bytes, filename: str) -> None:',
        'DEST_DIR / filename',
        'def get_flag(cc: str) -> bytes:',
        *GET_FLAG,
        'def download_many(cc_list: list[str]) -> int:',
        'for cc in sorted(cc_list):',
        'image = get_flag(cc)',
        "save_flag(image, f'{cc}.gif')",
        "print(cc, end=' ', flush=True)",
        'return len(cc_list)',
        'def main(downloader: Callable[[list[str]], int]) -> None:',
        'DEST_DIR.mkdir(',
        't0 = time.perf_counter()',
        'count = downloader(POP20_CC)',
        'elapsed = time.perf_counter() - t0',
        'downloads in {elapsed:.2f}s',
        'main(download_many)',
    ],
    '20-3 flags_threadpool.py': [
        *FLAGS,
        *DOWNLOAD_ONE,
        'with futures.ThreadPoolExecutor() as executor:',
        'res = executor.map(download_one, sorted(cc_list))',
        'return len(list(res))',
        'main(download_many)',
    ],
    '20-3 flags_processpool.py': [
        *FLAGS,
        *DOWNLOAD_ONE,
        'with futures.ProcessPoolExecutor(',
        'res = executor.map(download_one, sorted(cc_list))',
        'return len(list(res))',
        'main(download_many)',
    ],
    '20-4 flags_threadpool_futures.py': [
        'from concurrent import futures',
        'cc_list = cc_list[:5]',
        'with futures.ThreadPoolExecutor(max_workers=3) as executor:',
        'to_do: list[futures.Future',
        'for cc in sorted(cc_list):',
        'future = executor.submit(download_one, cc)',
        'to_do.append(future)',
        "print(f'Scheduled for {cc}: {future}'",
        'for count, future in enumerate(futures.as_completed(to_do), 1):',
        'res = future.result()',
        "print(f'{future} result: {res!r}'",
        'return count',
        'main(download_many)',
    ],
    '20-6 proc_pool.py': [
        'from primes import NUMBERS, is_prime',
        'class PrimeResult(NamedTuple):',
        'n: int',
        'flag: bool',
        'elapsed: float',
        'def check(n: int) -> PrimeResult:',
        't0 = perf_counter()',
        'res = is_prime(n)',
        'return PrimeResult(n, res, perf_counter() - t0)',
        'def main() -> None:',
        'executor = futures.ProcessPoolExecutor(workers',
        'executor._max_workers',
        'numbers = sorted(NUMBERS, reverse=True)',
        't0 = perf_counter()',
        'with executor:',
        'for n, prime, elapsed in executor.map(check, numbers):',
        "label = 'P' if prime else ' '",
        "print(f'{n:16}  {label} {elapsed:9.6f}s'",
        "print(f'Total time: {",
    ],
    '20-8 demo_executor_map.py': [
        'def display(*args: object) -> None:',
        "print(strftime('[%H:%M:%S]'), *args",
        'def loiter(n: int) -> int:',
        'doing nothing for {n}s...',
        'sleep(n)',
        'done.',
        'return n * 10',
        'def main() -> None:',
        "display('Script starting.')",
        'executor = futures.ThreadPoolExecutor(max_workers=3)',
        'results = executor.map(loiter, range(5))',
        "display('results:', results)",
        "display('Waiting for individual results:')",
        'for i, result in enumerate(results):',
        "display(f'result {i}: {result}')",
    ],
    '20-14 flags2_sequential.py': [
        'from collections import Counter',
        'import httpx',
        'from tqdm import tqdm',
        'DEFAULT_CONCUR_REQ = 1',
        'MAX_CONCUR_REQ = 1',
        'def get_flag(base_url: str, cc: str) -> bytes:',
        *GET_FLAG,
        'def download_one(cc: str, base_url: str, verbose: bool=False) -> DownloadStatus:',
        'try:',
        'image = get_flag(base_url, cc)',
        *STATUS,
    ],
    '20-15 flags2_sequential.py': [
        'def download_many(cc_list: list[str], base_url: str, verbose: bool,',
        'counter: Counter[DownloadStatus] = Counter()',
        'cc_iter: Iterable[str] = sorted(cc_list)',
        'if not verbose:',
        'cc_iter = tqdm(cc_iter)',
        'for cc in cc_iter:',
        'try:',
        'status = download_one(cc, base_url, verbose)',
        *ERRORS,
        'except KeyboardInterrupt:',
        'break',
        *COUNT,
        'return counter',
        *CONCURRENCY,
    ],
    '20-16 flags2_threadpool.py': [
        'from collections import Counter',
        'from concurrent import futures',
        'import httpx',
        'from tqdm import tqdm',
        'from flags2_sequential import download_one',
        'DEFAULT_CONCUR_REQ = 30',
        'MAX_CONCUR_REQ = 1000',
        'def download_many(cc_list: list[str], base_url: str, verbose: bool, concur_req: int)',
        'counter: Counter[DownloadStatus] = Counter()',
        'with futures.ThreadPoolExecutor(max_workers=concur_req) as executor:',
        'to_do_map = {}',
        'for cc in sorted(cc_list):',
        'future = executor.submit(download_one, cc, base_url, verbose)',
        'to_do_map[future] = cc',
        'done_iter',
        'futures.as_completed(to_do_map)',
        'if not verbose:',
        'done_iter = tqdm(done_iter, total=len(cc_list))',
        'for future in done_iter:',
        'try:',
        'status = future.result()',
        *ERRORS,
        'except KeyboardInterrupt:',
        *COUNT[:-2],
        'cc = to_do_map[future]',
        COUNT[-1],
        'return counter',
        *CONCURRENCY,
    ],
    '20-13 flags2_asyncio.py': [
        'DEFAULT_CONCUR_REQ = 30',
        'MAX_CONCUR_REQ = 1000',
        'async def get_flag(',
        *GET_FLAG,
        'async def download_one(',
        *STATUS,
        'async def supervisor(',
        'counter: Counter[DownloadStatus] = Counter()',
        'status = await download_one(',
        *ERRORS,
        *COUNT,
        'return counter',
        'def download_many(cc_list: list[str], base_url: str, verbose: bool, concur_req: int)',
        'asyncio.run(supervisor(',
        *CONCURRENCY,
    ],
}


def code_of(path: Path) -> str:
    """Return what a file does, one statement a line, without docstrings and comments."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node):
            del node.body[0]
    return ast.unparse(tree)


def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, as in `import a.b` or `from a import b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f'{node.module}.{alias.name}' for alias in node.names)}
    return names


def module_name(path: Path) -> str:
    """Return the name under which a file of the project is imported."""
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts)


MODULES = {module_name(path): path for path in SOURCES}
DEPENDENCIES = {name: imported_by(path) & MODULES.keys() for name, path in MODULES.items()}
SCRIPT_NAMES = {name for name in MODULES if '.' not in name}


@pytest.mark.parametrize('example', VISIBLE)
def test_what_the_chapter_explains_stands_in_the_script_in_its_order(example: str) -> None:
    rest = code_of(ROOT / example.split()[1])
    for text in VISIBLE[example]:
        _, found, rest = rest.partition(text)
        assert found, f'{text!r} is missing, or comes too early'


def test_processes_differ_from_threads_by_the_executor_alone() -> None:
    threads = code_of(ROOT / 'flags_threadpool.py').splitlines()
    processes = code_of(ROOT / 'flags_processpool.py').splitlines()
    diff = difflib.ndiff(threads, processes)
    assert [' '.join(line.split()) for line in diff if line[0] in '+-'] == [
        '+ from support.workers import quiet_processes',
        '- with futures.ThreadPoolExecutor() as executor:',
        '+ with futures.ProcessPoolExecutor(mp_context=quiet_processes()) as executor:',
    ]


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_exactly_what_can_be_run_is_executable(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('#!/usr/bin/env python3\n') == ("if __name__ == '__main__':" in text)
    assert os.access(path, os.X_OK) == text.startswith('#!')


def test_scripts_run_by_their_path_from_any_folder() -> None:
    folder = altered_copy('primes.py', '= list(PRIMALITY)', f'= {SMALL}')
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    Path('elsewhere').mkdir()
    run = subprocess.run(
        [f'../{folder.name}/proc_pool.py', '1'],
        cwd='elsewhere',
        env=os.environ | {'PATH': path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.stderr == ''
    assert len(answers(run.stdout.splitlines())) == len(SMALL)


def test_imports_go_in_no_circle() -> None:
    TopologicalSorter(DEPENDENCIES).prepare()


def test_helpers_know_no_script() -> None:
    for name in MODULES.keys() - SCRIPT_NAMES:
        assert not DEPENDENCIES[name] & SCRIPT_NAMES
        if name.startswith('support.'):
            assert not any(each.startswith('comparing') for each in DEPENDENCIES[name])


@pytest.mark.parametrize('path', SOURCES, ids=module_name)
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            assert node.end_lineno - node.lineno < MAX_LINES, node.name
