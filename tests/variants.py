"""Which script of a reader the option --variant names, and what tells its series."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SERIES = ['flags', 'flags2']
PROJECT = Path(__file__).resolve().parent.parent


class Variant(NamedTuple):
    """A script of a reader."""

    script: str  # its absolute path
    series: str
    downloads_in: str  # the file with the line that a typo goes into, or ''


chosen: list[Variant] = []  # one at most


def choose(name: str, series: str | None, folder: Path) -> Variant:
    """Return the script of that name, seen from a folder, of the series that its imports tell.

    Raise pytest.UsageError if there is nothing to run, or no telling what it promises.
    """
    path = (folder / Path(name).expanduser()).resolve()
    if path.suffix != '.py':
        raise pytest.UsageError(f'--variant: not a Python script (.py): {path}')
    try:
        imports = list(imported(ast.parse(path.read_bytes(), path.name)))
    except OSError as exc:
        raise pytest.UsageError(f'--variant: {exc.strerror}: {path}') from exc
    except (SyntaxError, ValueError) as exc:
        raise pytest.UsageError(f'--variant: not valid Python: {path}: {exc}') from exc
    if not (series := series or series_by(imports)):
        raise pytest.UsageError(
            f'--variant: {path} imports neither flags nor flags2_common, which would tell what it '
            'promises: add --series flags or --series flags2'
        )
    files = [path, *(PROJECT / f'{module}.py' for module in imports)]
    has_line = (file.name for file in files if file.exists() and b'image = ' in file.read_bytes())
    return Variant(str(path), series, next(has_line, ''))


def imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the modules that a script imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def series_by(imports: list[str]) -> str | None:
    """Return the series of a script that imports these modules; a flags.py imports a helper."""
    if any(module.startswith('flags2_') for module in imports):
        return 'flags2'
    is_flags = any(module.startswith(('flags', 'support.commands')) for module in imports)
    return 'flags' if is_flags else None
