"""Sessions: processes that go on after a script, as at a prompt, in a notebook or a debugger.

A script must undo what it changes in them.
"""

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any


def in_session() -> bool:
    """Return whether this process goes on after a script."""
    return hasattr(sys, 'ps1') or bool(sys.flags.inspect) or 'bdb' in sys.modules


def at_prompt() -> bool:
    """Return whether there is no script, because a function was called at a prompt or in a cell."""
    main = vars(sys.modules['__main__'])
    module = getattr(main.get('__spec__'), 'name', '').partition('.')[0]  # as in python -m asyncio
    file = Path(main.get('__file__') or '.').name  # %run -i leaves it in a notebook
    is_script = file == Path(sys.argv[0]).name and module not in sys.stdlib_module_names
    return hasattr(sys, 'ps1') and not (file and is_script)


@contextmanager
def changed(owner: Any, **values: Any) -> Iterator[None]:
    """Context manager: set items of a mapping, or attributes of another object, for the block."""
    is_mapping = isinstance(owner, MutableMapping)
    names = owner if is_mapping else vars(owner)
    put = owner.__setitem__ if is_mapping else partial(setattr, owner)
    drop = owner.pop if is_mapping else partial(delattr, owner)
    before = {name: names[name] for name in values if name in names}
    for name, value in values.items():
        put(name, value)
    try:
        yield
    finally:
        for name in values:
            put(name, before[name]) if name in before else drop(name)
