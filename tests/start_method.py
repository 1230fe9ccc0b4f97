"""Become a script whose processes are started in a given way.

For example: python3 tests/start_method.py spawn proc_pool.py 2
"""

import multiprocessing
import sys
from pathlib import Path

_, method, *sys.argv = sys.argv
sys.path[0] = str(Path(sys.argv[0]).parent)
multiprocessing.set_start_method(method)
__file__ = sys.argv[0]  # where new processes find __main__
exec(compile(Path(__file__).read_text('utf-8'), __file__, 'exec'))
