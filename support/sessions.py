"""Sessions: processes that go on after a script, at a prompt, in a notebook or in a debugger.

They get back what a script has changed in them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def in_session() -> bool:
    """Tell whether this process goes on after a script."""
    return hasattr(sys, 'ps1') or bool(sys.flags.inspect) or 'bdb' in sys.modules


def at_prompt() -> bool:
    """Tell whether there is no script: what runs was called at a prompt, or in a cell."""
    return hasattr(sys, 'ps1') and not hasattr(sys.modules['__main__'], '__file__')


@contextmanager
def changed(owner: Any, **attributes: Any) -> Iterator[None]:
    """Context manager: set attributes of a module or a class, and give the old ones back."""
    before = {name: vars(owner)[name] for name in attributes if name in vars(owner)}
    for name, value in attributes.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name in attributes:
            setattr(owner, name, before[name]) if name in before else delattr(owner, name)
