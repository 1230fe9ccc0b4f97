"""What slow_server.py remembers of the requests of its clients."""

import json
import time

import pytest

from support import history
from support.history import Exchange, History


def begin(remembered: History, agent: str = '') -> Exchange:
    """Have a client send a request."""
    return remembered.begin('/', 1, agent, delay=0)


def test_only_the_last_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, 'RUN_PAUSE', -1)
    monkeypatch.setattr(history, 'MAX_KEPT', 3)
    remembered = History()
    for _ in range(7):
        remembered.end(begin(remembered), 200)
    overfull = [begin(remembered) for _ in range(4)]
    kept = json.loads(remembered.changes(0))['requests']
    assert [request['run'] for request in kept] == [4, 5, 6, 7, 8, 8, 8, 9]
    assert [request.run.number for request in overfull] == [8, 8, 8, 9]


def test_a_second_without_a_request_ends_the_run_of_a_client() -> None:
    remembered = History()
    one, two, last = (begin(remembered, agent) for agent in ('-m 1', '-m 2', '-m 1'))
    assert [request.run.number for request in (one, two, last)] == [1, 2, 1]
    remembered.end(one, 200)
    time.sleep(1.1)
    assert begin(remembered, '-m 1').run is last.run  # as a request is under way
    for request in last.run.exchanges[1:]:
        remembered.end(request, 200)
    assert begin(remembered, '-m 1').run is last.run  # as there was no pause
    remembered.end(last.run.exchanges[-1], 200)
    time.sleep(1.1)
    assert begin(remembered, '-m 1').run.number == 3


def test_times_do_not_step_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered = History()
    request = begin(remembered)
    monkeypatch.setattr('time.time', lambda: 0.0)
    remembered.end(request, 200)
    assert request.end is not None
    assert 0 <= request.end - request.start < 60
