"""The examples in docstrings."""

import doctest
import importlib
from pathlib import Path

import pytest
from conftest import ROOT

FILES = [
    path
    for folder in (ROOT, ROOT / 'benchmarks', ROOT / 'tests')
    for path in sorted(folder.glob('*.py'))
    if '>>>' in path.read_text('utf-8') and path != Path(__file__)
]


@pytest.mark.parametrize('path', FILES, ids=[path.name for path in FILES])
def test_examples_give_what_they_show(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(path.parent)
    results = doctest.testmod(importlib.import_module(path.stem))
    assert results.attempted > 0
    assert results.failed == 0
