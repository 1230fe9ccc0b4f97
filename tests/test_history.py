"""What slow_server.py remembers of the requests of its clients."""

import json
import time

import pytest

from serving import history
from serving.history import Client, Exchange, History


def begin(
    remembered: History, agent: str = '', address: str = '::1', process: int | None = None
) -> Exchange:
    """Have a client send a request."""
    return remembered.begin('/', 1, Client(agent, address, process), delay=0)


def kept_runs(remembered: History) -> list[int]:
    """Return the runs of the requests that are told of."""
    return [request['run'] for request in json.loads(remembered.changes(0))['requests']]


def test_only_the_last_runs_are_kept() -> None:
    remembered = History()
    requests = [begin(remembered, str(number)) for number in range(41)]
    for request in reversed(requests):
        remembered.end(request, 200)
    assert kept_runs(remembered) == list(range(2, 42))


def test_run_that_is_full_is_followed_by_another_and_all_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, 'MAX_RUN', 3)
    monkeypatch.setattr(history, 'MAX_KEPT', 4)
    remembered = History()
    assert [begin(remembered).run.number for _ in range(7)] == [1, 1, 1, 2, 2, 2, 3]
    assert kept_runs(remembered) == [2, 2, 2, 3]


def test_only_what_has_changed_since_is_told_of_in_order_of_runs() -> None:
    remembered = History()
    one, two, _ = (begin(remembered, agent) for agent in 'abc')
    before = remembered.change
    remembered.end(two, 200)
    remembered.end(one, 404)
    told = json.loads(remembered.changes(before))['requests']
    assert [(request['run'], request['status']) for request in told] == [(1, 404), (2, 200)]


def test_run_is_that_of_one_client_and_process_if_that_is_told() -> None:
    remembered = History()
    runs = [
        begin(remembered, agent, address, process).run.number
        for agent, address, process in [
            ('a', '::1', 5),
            ('a', '::1', 6),
            ('a', '::1', 5),
            ('a', '::2', 5),
            ('b', '::1', 5),
            ('a', '::1', None),
            ('a', '::1', None),
        ]
    ]
    assert runs == [1, 2, 1, 3, 4, 5, 5]


@pytest.mark.parametrize(
    ('user_agent', 'address', 'client'),
    [
        ('flags.py -m (5) (1234)', '::ffff:10.0.0.1', ('flags.py -m (5)', '10.0.0.1', 1234)),
        ('curl/7.88.1', '::1', ('curl/7.88.1', '::1', None)),
        ('Mozilla/5.0 (X11; Linux)', '::1', ('Mozilla/5.0 (X11; Linux)', '::1', None)),
        (f'{300 * "a"} (7)', '::1', (200 * 'a', '::1', 7)),
        (f'a ({99 * "9"})', '::1', (f'a ({99 * "9"})', '::1', None)),
        ('(1234)', '::1', ('(1234)', '::1', None)),
        ('', '::1', ('', '::1', None)),
    ],
)
def test_client_is_a_name_an_address_and_maybe_a_process(
    user_agent: str, address: str, client: tuple[str, str, int | None]
) -> None:
    assert Client.of(user_agent, address) == client


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
