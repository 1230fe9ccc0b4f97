"""What a reader of the chapter looks for in the scripts, and how files depend on each other."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import PATIENCE, ROOT, altered_copy, needs_x_bits
from cpu_tools import SMALL, answers

SCRIPTS = sorted(ROOT.glob('*.py'))
SOURCES = [*SCRIPTS, *sorted(ROOT.glob('support/*.py')), *sorted(ROOT.glob('comparing/*.py'))]
SOURCES += sorted(ROOT.glob('pools/*.py'))
MAX_LINES = 40  # of a function
SHEBANG = '#!/usr/bin/env python3\n'

# What a reader finds in the script itself: the names and signatures of the book
SIGNATURES = {
    'flags': {
        'save_flag': '(img: bytes, filename: str) -> None',
        'get_flag': '(cc: str) -> bytes',
        'download_many': '(cc_list: list[str]) -> int',
        'main': '(downloader: collections.abc.Callable[[list[str]], int]) -> None',
    },
    'flags_threadpool': {
        'download_one': '(cc: str) -> str',
        'download_many': '(cc_list: list[str]) -> int',
    },
    'flags_processpool': {
        'download_one': '(cc: str) -> str',
        'download_many': '(cc_list: list[str]) -> int',
    },
    'flags_threadpool_futures': {'download_many': '(cc_list: list[str]) -> int'},
    'flags_asyncio': {'download_many': '(cc_list: list[str]) -> int'},
    'flags2_sequential': {
        'get_flag': '(base_url: str, cc: str) -> bytes',
        'download_one': '(cc: str, base_url: str, verbose: bool = False)'
        ' -> flags2_common.DownloadStatus',
        'download_many': '(cc_list: list[str], base_url: str, verbose: bool,'
        ' _unused_concur_req: int) -> collections.Counter[flags2_common.DownloadStatus]',
    },
    'flags2_threadpool': {
        'download_many': '(cc_list: list[str], base_url: str, verbose: bool, concur_req: int)'
        ' -> collections.Counter[flags2_common.DownloadStatus]',
    },
    'flags2_asyncio': {
        'download_many': '(cc_list: list[str], base_url: str, verbose: bool, concur_req: int)'
        ' -> collections.Counter[flags2_common.DownloadStatus]',
    },
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


def imported_by(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere, as in `import a.b` or `from a import b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text('utf-8'))):
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


def test_what_can_be_run_names_its_interpreter() -> None:
    run = {path for path in SCRIPTS if "if __name__ == '__main__':" in path.read_text('utf-8')}
    assert run == {path for path in SCRIPTS if path.read_text('utf-8').startswith(SHEBANG)}


@needs_x_bits
def test_exactly_what_can_be_run_is_executable() -> None:
    executable = {path for path in SCRIPTS if os.access(path, os.X_OK)}
    assert executable == {path for path in SCRIPTS if path.read_text('utf-8').startswith(SHEBANG)}


def test_scripts_run_by_their_path_from_any_folder() -> None:
    folder = altered_copy('primes.py', '= list(PRIMALITY)', f'= {SMALL}')
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    Path('elsewhere').mkdir()
    (folder / 'proc_pool.py').chmod(0o755)
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


def test_functions_are_short() -> None:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    nodes = [node for path in SOURCES for node in ast.walk(ast.parse(path.read_text('utf-8')))]
    functions = [node for node in nodes if isinstance(node, kinds)]
    long = [each.name for each in functions if (each.end_lineno or 0) - each.lineno >= MAX_LINES]
    assert long == []
