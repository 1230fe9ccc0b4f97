"""What slow_server.py remembers of the requests, for its page, for compare.py and for a log."""

import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TextIO

from support.console import tell

CLIENT_GONE = 499  # the status that nginx logs for it
RUN_PAUSE = 1.0  # seconds without a request of a client after which its run is over
MAX_RUNS = 6
MAX_KEPT = 5000  # requests of a run
MAX_TEXT = 200  # characters of a path or a User-Agent


@dataclass
class ClientRun:
    """The requests of one User-Agent, until it pauses."""

    number: int
    agent: str
    exchanges: list['Exchange'] = field(default_factory=list)
    in_flight: int = 0
    last_end: float = 0


@dataclass
class Exchange:
    """A request and, once it is answered, its end and status; times are in seconds."""

    run: ClientRun
    path: str
    lane: int  # the client's port, which stands for a connection
    delay: float
    start: float
    change: int  # the number of the last change to any request, when this one changed
    end: float | None = None
    status: int | None = None

    @property
    def code(self) -> str:
        """The country code, such as BR for /flags/br/br.gif, or the path of something else."""
        directory, _, name = self.path.removesuffix('.gif').rpartition('/')
        return name.upper() if name and directory.endswith(f'/{name}') else self.path

    def record(self) -> dict[str, Any]:
        """Return what is told of it."""
        return vars(self) | {'code': self.code, 'run': self.run.number, 'agent': self.run.agent}


class History:
    """The last runs of all clients, and the log if there is one."""

    def __init__(self) -> None:
        """Begin without requests."""
        self.log: TextIO | None = None
        self.lock = threading.Lock()
        self.runs: deque[ClientRun] = deque(maxlen=MAX_RUNS)
        self.run = self.change = 0  # numbers of the last ones; a request changes when it ends, too
        self.clock_offset = time.time() - time.perf_counter()
        self.born = self.now()

    def now(self) -> float:
        """Return the time in seconds since 1970, by a clock that is fine and never steps."""
        return time.perf_counter() + self.clock_offset

    def begin(self, path: str, lane: int, agent: str, delay: float) -> Exchange:
        """Return a new request, in the run of its client that is under way or in a new one."""
        with self.lock:
            start = self.now()
            run = self.run_of(agent[:MAX_TEXT], start)
            run.in_flight += 1
            self.change += 1
            run.exchanges.append(
                Exchange(run, path[:MAX_TEXT], lane, delay, start, change=self.change)
            )
            return run.exchanges[-1]

    def run_of(self, agent: str, now: float) -> ClientRun:
        """Return the run of a User-Agent; begin one after a pause, or if the last one is full."""
        for run in reversed(self.runs):
            if run.agent == agent:
                goes_on = run.in_flight or now - run.last_end <= RUN_PAUSE
                if goes_on and len(run.exchanges) < MAX_KEPT:
                    return run
                break
        self.run += 1
        self.runs.append(ClientRun(self.run, agent))
        return self.runs[-1]

    def end(self, exchange: Exchange, status: int) -> None:
        """Note how a request is answered, in the log too if there is one."""
        with self.lock:
            self.change += 1
            exchange.status, exchange.end, exchange.change = status, self.now(), self.change
            exchange.run.in_flight -= 1
            exchange.run.last_end = exchange.end
            if status == CLIENT_GONE:
                exchange.delay = exchange.end - exchange.start
            if self.log:
                self.write_log(exchange, self.log)

    def write_log(self, exchange: Exchange, log: TextIO) -> None:
        """Write a line; if that fails, as on a full disk, say so once and log no more."""
        try:
            print(json.dumps(exchange.record()), file=log, flush=True)
        except OSError as exc:
            self.log = None
            tell(f'slow_server.py: cannot write {log.name}: {exc.strerror}; logging has ended')
            with suppress(OSError):  # it tries to write once more
                log.close()

    def changes(self, after: int) -> bytes:
        """Return the requests that have changed after that change, as JSON."""
        with self.lock:
            exchanges = [each for run in self.runs for each in run.exchanges]
            changed = [each.record() for each in exchanges if each.change > after]
            state = {'born': self.born, 'now': self.now(), 'change': self.change}
        return json.dumps(state | {'requests': changed}).encode()
