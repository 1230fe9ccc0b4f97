"""The examples in docstrings."""

import doctest
from pathlib import Path

import pytest
from conftest import ROOT

FILES = [
    path
    for path in sorted([*ROOT.glob('*.py'), *ROOT.glob('[a-z]*/*.py')])
    if '>>>' in path.read_text('utf-8') and path != Path(__file__)
]


@pytest.mark.parametrize('path', FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_examples_give_what_they_show(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = f'{path.parent.name}.' if (path.parent / '__init__.py').exists() else ''
    monkeypatch.syspath_prepend(path.parent.parent if package else path.parent)
    results = doctest.testmod(pytest.importorskip(package + path.stem))
    assert results.attempted > 0
    assert results.failed == 0
