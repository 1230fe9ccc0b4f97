"""What the scripts share and the chapter leaves out."""

import sys
from pathlib import Path

from support.sessions import in_session

_excepthook = sys.excepthook
_root = Path(__file__).resolve().parent.parent

# Python itself ends a script by the signal if Ctrl-C comes before orderly_exit, as while it imports
if Path(sys.argv[0]).resolve().parent == _root and not in_session():
    sys.excepthook = lambda kind, *rest: kind is KeyboardInterrupt or _excepthook(kind, *rest)
