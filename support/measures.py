"""Hand the time that a script has measured, and its memory, over to whoever compares scripts.

The two decimals that a script prints are for its reader. A program that wants more sets
MEASURES_FILE in the script's environment, and finds there after the run:

    {"elapsed": 0.09134, "peak_memory": 33996800}
"""

import json
import os
import sys
from pathlib import Path

FILE_VARIABLE = 'MEASURES_FILE'


def hand_over(elapsed: float) -> None:
    """Write the elapsed time, in seconds, and the peak memory, in bytes, if anybody asks."""
    if path := os.environ.get(FILE_VARIABLE):
        measures = {'elapsed': elapsed, 'peak_memory': peak_memory()}
        Path(path).write_text(json.dumps(measures))


def peak_memory() -> int | None:
    """Return the most memory that this process has had in RAM, in bytes, if known."""
    try:
        status = Path('/proc/self/status').read_text('ascii', 'replace')
    except OSError:
        return peak_memory_by_getrusage()
    high_water_mark = status.partition('VmHWM:')[2].split()
    return int(high_water_mark[0]) * 1024 if high_water_mark else peak_memory_by_getrusage()


def peak_memory_by_getrusage() -> int | None:
    """Return the same from getrusage(2), which on Linux would count the parent's memory too."""
    if sys.platform == 'win32':
        return None
    import resource

    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
