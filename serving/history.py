"""The requests that slow_server.py has recorded, for its page, for compare.py and for a log."""

import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from io import FileIO
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from support.console import tell

CLIENT_GONE = 499  # nginx logs this status as well
RUN_PAUSE = 1.0  # seconds without a request of a client that end its run
MAX_RUNS = 40
MAX_RUN = 5000  # requests of one run
MAX_KEPT = 30_000  # requests of all runs
MAX_TEXT = 200  # characters of a path or a User-Agent


class Client(NamedTuple):
    """What identifies a client: two may have the same name, or the same address."""

    agent: str
    client: str  # its address
    process: int | None  # the scripts of this project name theirs

    @classmethod
    def of(cls, user_agent: str, address: str) -> 'Client':
        """Return the client for a User-Agent, such as "flags.py (1234)", and an address."""
        found = re.search(r' \((\d{1,10})\)$', user_agent)
        agent = user_agent[: found.start()] if found else user_agent
        address = address.removeprefix('::ffff:')  # an IPv4 address on a socket for both
        return cls(agent[:MAX_TEXT], address, int(found[1]) if found else None)


@dataclass
class ClientRun:
    """The requests of one client until a pause."""

    number: int
    client: Client
    exchanges: list['Exchange'] = field(default_factory=list)
    in_flight: int = 0
    last_end: float = 0


@dataclass
class Exchange:
    """A request and, after its answer, its end and status; times are in seconds."""

    run: ClientRun
    path: str
    lane: int  # the client's port, which stands for a connection
    delay: float
    start: float
    change: int  # number of its last change; numbers increase over all requests
    end: float | None = None
    status: int | None = None

    @property
    def code(self) -> str:
        """The country code, such as BR for /flags/br/br.gif, or the path of something else."""
        directory, _, name = self.path.partition('?')[0].removesuffix('.gif').rpartition('/')
        return name.upper() if name and directory.endswith(f'/{name}') else self.path

    def record(self) -> dict[str, Any]:
        """Return the record for the page and the log."""
        return vars(self) | {'code': self.code, 'run': self.run.number} | self.run.client._asdict()


def open_log(path: Path) -> FileIO:
    """Return a file to which each write appends, even if other processes write to it.

    A line is a request as JSON. Its start and end are seconds since 1970. The clock is set once,
    when the server starts, and then runs evenly, so differences are exact.
    """
    return path.open('ab', buffering=0)


class History:
    """The last runs of all clients, and the log if there is one."""

    def __init__(self, log: FileIO | None = None) -> None:
        """Begin without requests."""
        self.log = log
        self.lock = threading.Lock()
        self.runs: deque[ClientRun] = deque()
        self.exchanges: dict[int, Exchange] = {}  # all requests, by their last change
        self.run = self.change = 0  # the last numbers; a request changes at its start and its end
        self.clock_offset = time.time() - time.perf_counter()
        self.born = self.now()

    def now(self) -> float:
        """Return the time in seconds since 1970, by a precise clock that is never adjusted."""
        return time.perf_counter() + self.clock_offset

    def begin(self, path: str, lane: int, client: Client, delay: float) -> Exchange:
        """Return a new request in the current run of its client, or in a new run."""
        with self.lock:
            start = self.now()
            run = self.run_of(client, start)
            run.in_flight += 1
            self.change += 1
            exchange = Exchange(run, path[:MAX_TEXT], lane, delay, start, change=self.change)
            run.exchanges.append(exchange)
            self.exchanges[self.change] = exchange
            while len(self.runs) > MAX_RUNS or len(self.exchanges) > MAX_KEPT:
                for each in self.runs.popleft().exchanges:
                    del self.exchanges[each.change]
            return exchange

    def run_of(self, client: Client, now: float) -> ClientRun:
        """Return the run of a client: a new one after a pause, or if the last one is full."""
        for run in reversed(self.runs):
            if run.client == client:
                goes_on = run.in_flight or now - run.last_end <= RUN_PAUSE
                if goes_on and len(run.exchanges) < MAX_RUN:
                    return run
                break
        self.run += 1
        self.runs.append(ClientRun(self.run, client))
        return self.runs[-1]

    def end(self, exchange: Exchange, status: int) -> None:
        """Record the answer to a request, in the log as well if there is one."""
        with self.lock:
            is_kept = self.exchanges.pop(exchange.change, None)
            self.change += 1
            exchange.status, exchange.end, exchange.change = status, self.now(), self.change
            if is_kept:
                self.exchanges[self.change] = exchange
            exchange.run.in_flight -= 1
            exchange.run.last_end = exchange.end
            if status == CLIENT_GONE:
                exchange.delay = exchange.end - exchange.start
            if self.log:
                self.write_log(exchange, self.log)

    def write_log(self, exchange: Exchange, log: FileIO) -> None:
        """Write a line; if that fails, as on a full disk, say so and stop logging."""
        try:
            log.write(f'{json.dumps(exchange.record())}\n'.encode())
        except OSError as exc:
            self.log = None
            tell(f'slow_server.py: cannot write {log.name}: {exc.strerror}; logging has ended')

    def changes(self, after: int) -> bytes:
        """Return the requests that have changed since a change as JSON, in the order of runs."""
        with self.lock:
            latest_first = reversed(self.exchanges.values())
            changed = takewhile(lambda exchange: exchange.change > after, latest_first)
            requests = [exchange.record() for exchange in changed]
            state = {'born': self.born, 'now': self.now(), 'change': self.change}
        requests.sort(key=lambda request: (request['run'], request['start']))
        return json.dumps(state | {'requests': requests}).encode()
