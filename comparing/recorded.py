"""Become a script, and record all calls of a function that it uses.

For example: python3 comparing/recorded.py primes.is_prime proc_pool.py 2

Processes that are not forked load this file anew, as they do with every main module. What they
have to know is in the environment.
"""

import os
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from comparing.work import CALLS_FILE, record_calls, record_results  # noqa: E402

if __name__ == '__main__':
    _, os.environ['RECORDED_FUNCTION'], script, *arguments = sys.argv
    sys.argv = [str(Path(sys.path[0], script)), *arguments]
    os.environ['RECORDED_SCRIPT'] = sys.argv[0]
    os.environ['RECORDED_CALLS'] = str(Path(CALLS_FILE).resolve())
    record_results(Path(CALLS_FILE).resolve())

record_calls(os.environ['RECORDED_FUNCTION'], Path(os.environ['RECORDED_CALLS']))
path = Path(os.environ['RECORDED_SCRIPT'])
module_name = os.environ['RECORDED_FUNCTION'].rpartition('.')[0]
if path.stem == module_name:  # anew, it would not have the function that records
    sys.modules[module_name].main()
else:
    exec(compile(path.read_text('utf-8'), str(path), 'exec'))
