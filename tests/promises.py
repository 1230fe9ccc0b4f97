"""What the scripts of a series promise: classes of tests that the file of each script inherits.

So `pytest tests/test_flags.py` runs all that flags.py promises, and a new variant gets its tests
by a class of three lines:

    class TestPromises(FlagsPromises):
        script = 'flags_threadpool.py'
        connections = 12
"""

import errno
import os
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Script,
    Server,
    StartScript,
    StartServer,
    altered_copy,
    command,
    flag,
    flag_files,
    limited,
    needs_posix,
    project_copy,
    serving,
    shown_on_terminal,
    started,
    with_sitecustomize,
)
from cpu_tools import MAX_WORKERS, METHODS, SMALL, answers, cpu_script, output_of
from endings import complaints, counts
from raw_server import by_code, misbehaving, raw_server

from flags import POP20_CC
from primes import PRIMALITY
from support.console import plural

ALL_CC = (ROOT / 'country_codes.txt').read_text('ascii').split()


class Downloaded(NamedTuple):
    """What has become of a run: its output, the files in its folder, the requests it made."""

    run: Script
    files: dict[str, bytes]
    requests: list[dict[str, Any]]


def run_in(folder: Path, script: str, *args: object, server: list[object]) -> Downloaded:
    """Run a script in a folder, on a server with these options; what it writes is not buffered.

    Workers that write a line in several parts mix these then.
    """
    with serving(folder / 'log', *server) as running:
        words = command(script, *args, '-s', running.url)
        with started(words, cwd=folder, env=os.environ | {'PYTHONUNBUFFERED': '1'}) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        files = {path.name: path.read_bytes() for path in folder.glob('downloaded/*')}
        done = Script(words, process.returncode, stdout, stderr)
        return Downloaded(done, files, running.requests())


def served(codes: list[str]) -> dict[str, bytes]:
    """Return the files that have to be there once the flags for codes are downloaded."""
    return {f'{cc}.gif': flag(cc) for cc in codes}


def one_line(script: str, stderr: str) -> bool:
    """Tell whether a script has printed one line on stderr, with its name."""
    return stderr.startswith(f'{Path(script).name}: ') and stderr.count('\n') == 1


class FlagsPromises:
    """The flags series: the 20 flags, or some of them, and one line for a failure."""

    script: str
    codes = sorted(POP20_CC)
    connections = len(POP20_CC)  # at most, as a worker keeps its own
    output = r'(?:[A-Z]{2} ){20}\n20 downloads in \d+\.\d\ds\n'
    broken_off = 'peer closed connection'  # what is told of half a flag

    @pytest.fixture(scope='class')
    @classmethod
    def equal_delays(cls, tmp_path_factory: pytest.TempPathFactory) -> Downloaded:
        """Run the script on a server that makes workers print at the same time."""
        delays: list[object] = ['--min-delay', 0.05, '--max-delay', 0.05]
        return run_in(tmp_path_factory.mktemp('run'), cls.script, server=delays)

    def test_files_are_what_is_served(self, equal_delays: Downloaded) -> None:
        assert equal_delays.files == served(self.codes)
        assert (equal_delays.run.returncode, equal_delays.run.stderr) == (0, '')

    def test_codes_are_printed_whole_and_the_time_below_them(
        self, equal_delays: Downloaded
    ) -> None:
        stdout = equal_delays.run.stdout
        assert re.fullmatch(self.output, stdout), 'no whole codes, a space behind each, and time'
        shown = re.sub(r'Scheduled.*|<.*', '', stdout)  # which futures are about
        assert sorted(re.findall(r'\b[A-Z]{2}\b', shown)) == self.codes

    def test_no_more_connections_than_workers(self, equal_delays: Downloaded) -> None:
        ports = {request['lane'] for request in equal_delays.requests}
        assert len(ports) <= self.connections

    def test_code_is_printed_as_soon_as_its_flag_is_saved(
        self, start_script: StartScript, start_server: StartServer
    ) -> None:
        server = start_server('--min-delay', 0.1, '--max-delay', 0.6)
        process = start_script(self.script, '-s', server.url)
        assert process.stdout
        output = ''
        with limited(process):
            while not (found := re.search(r'^([A-Z]{2}) ', output, re.M)):
                character = process.stdout.read(1)
                assert character, 'the script has ended, or takes too long'
                output += character
        assert f'{found[1]}.gif' in flag_files()
        assert len(server.requests()) < len(self.codes), 'no code came before all answers'

    def test_server_without_flags_is_said_to_be_another_one(self, run_script: RunScript) -> None:
        with misbehaving('answers 404') as server:
            run = run_script(self.script, '-s', server.url)
        assert run.returncode == 1, 'the exit status of a failure is 1'
        assert one_line(self.script, run.stderr), 'stderr is not one line with the name'
        assert 'HTTP error 404' in run.stderr
        assert run.stderr.endswith('a server of another folder, may listen there\n')

    def test_failure_is_told_in_one_line_and_leaves_no_file(self, run_script: RunScript) -> None:
        with misbehaving('ends half-way') as server:
            run = run_script(self.script, '-s', server.url)
        assert run.returncode == 1, 'the exit status of a failure is 1'
        assert one_line(self.script, run.stderr), 'stderr is not one line with the name'
        assert self.broken_off in run.stderr
        assert re.search(rf'{server.url}/../..\.gif$', run.stderr)
        assert flag_files() == []

    def test_redirects_are_followed(self, run_script: RunScript) -> None:
        with misbehaving('redirects once') as server:
            run = run_script(self.script, '-s', server.url)
        assert (run.returncode, run.stderr) == (0, '')
        assert flag_files() == [f'{cc}.gif' for cc in self.codes]


# On Windows, the words of asyncio are not those of the system
RESET = os.strerror(errno.ECONNRESET) if os.name == 'posix' else '.+'
# What a server does that is asked for a code, and what is told of that code
FAILURES = {
    'AE': ('accepts and closes', rf'error: ({RESET}|Server discon.*) \(.*Error\)'),
    'BR': ('redirects for ever', r'error: Exceeded maximum .*redirects.* \(TooManyRedirects\)'),
    'CN': ('resets mid-body', rf'error: {RESET} \(ReadError\)'),
    'DE': ('ends half-way', r'error: peer closed .*received \d+ bytes, expected \d+\) \(.*Error\)'),
    'EG': ('sends garbage', r'error: illegal status line: .*\\xff.* \(RemoteProtocolError\)'),
    'FR': ('redirects to no host', r'error: .*(label empty|not known|resolution|getaddrinfo).*'),
    'GB': ('redirects once', 'OK'),
    'HU': ('answers 500', 'error: HTTP error 500 - Internal Server Error'),
    'ID': ('answers 404', r'not found: http://127\.0\.0\.1:\d+/flags/id/id\.gif'),
    'JP': ('sends a page', r'error: not a GIF \(text/html\) \(DecodingError\)'),
    'KE': ('sends a red phrase', r'error: HTTP error 418 - \\x1b\[31mred'),
    'LA': ('redirects to HU', 'error: HTTP error 500 - Internal Server Error'),
}


# Why ID.gif cannot be saved: what is told, and lines that make it so
HINDRANCES = {
    'Is a directory': 'import os; os.makedirs("downloaded/ID.gif", exist_ok=True)',
    'Permission denied': """
import os
def replace(source, target, real=os.replace):
    if str(target).endswith('ID.gif'):  # as on Windows, where it is read-only, or another has it
        raise PermissionError(13, 'Permission denied', str(source), None, str(target))
    real(source, target)
os.replace = replace
""",
}


class Flags2Promises:
    """The flags2 series: a report of how each download has ended, and a bar or a line for each."""

    script: str
    downloads_in: str  # the script with download_one
    workers = 4  # of those that -m 4 asks for
    by_default = 20  # for the 20 flags

    @pytest.fixture(scope='class')
    @classmethod
    def all_at_once(cls, tmp_path_factory: pytest.TempPathFactory) -> Downloaded:
        """Run the script with many workers, which tell of each flag; some do not get it."""
        server: list[object] = ['--max-delay', 0, '--error-rate', 0.25]
        folder = tmp_path_factory.mktemp('run')
        return run_in(folder, cls.script, '-av', '-m', 100, server=server)

    def test_report_is_that_of_the_book(self, run_script: RunScript, fast_server: Server) -> None:
        run = run_script(self.script, '-s', fast_server.url)
        assert re.sub(r':\d+/', ':PORT/', re.sub(r'\d+\.\d\ds', 'TIME', run.stdout)) == (
            f'URL site: {re.sub(r":[0-9]+/", ":PORT/", fast_server.url)}\n'
            'Searching for 20 flags: from BD to VN\n'
            f'{plural(self.by_default, "concurrent connection")} will be used.\n'
            '--------------------\n'
            '20 flags downloaded.\n'
            'Elapsed time: TIME\n'
        )
        assert (run.returncode, complaints(run.stderr)) == (0, [])

    def test_files_are_what_is_served(self, all_at_once: Downloaded) -> None:
        codes = [each['code'] for each in all_at_once.requests if each['status'] == 200]
        assert all_at_once.files == served(codes)

    def test_verbose_tells_how_each_download_has_ended_in_whole_lines(
        self, all_at_once: Downloaded
    ) -> None:
        outcomes = {200: 'OK', 418: "error: HTTP error 418 - I'm a Teapot"}
        ended = {each['code']: outcomes[each['status']] for each in all_at_once.requests}
        assert sorted(ended) == ALL_CC
        lines = all_at_once.run.stdout.splitlines()
        told = lines[3 : lines.index('-' * 20)]
        assert sorted(told) == sorted(f'{code} {how}' for code, how in ended.items())
        assert all_at_once.run.stderr == ''  # no bar

    def test_tally_is_what_the_server_has_sent(self, all_at_once: Downloaded) -> None:
        statuses = [each['status'] for each in all_at_once.requests]
        sent = {'downloaded': statuses.count(200), 'error': statuses.count(418)}
        assert counts(all_at_once.run.stdout) == sent
        assert all_at_once.run.returncode == 1

    def test_no_more_requests_at_once_than_asked_for_each_worker_on_one_connection(
        self, run_script: RunScript, start_server: StartServer
    ) -> None:
        server = start_server('--min-delay', 0.1, '--max-delay', 0.2)
        run = run_script(self.script, '-s', server.url, '-al', 16, '-m', 4)
        ports = {request['lane'] for request in server.first_requests(16)}
        requests = server.requests()
        in_flight = max(
            sum(each['start'] <= one['start'] < each['end'] for each in requests)
            for one in requests
        )
        assert (in_flight, len(ports)) == (self.workers, self.workers), 'in flight, connections'
        assert re.search(rf'^{self.workers} concurrent connections? will be used', run.stdout, re.M)

    def test_each_kind_of_failure_is_told_with_its_code(self, run_script: RunScript) -> None:
        """Downloads after an error are not errors, also where one worker sees several."""
        behaviors = {cc: behavior for cc, (behavior, _) in FAILURES.items()}
        with raw_server(partial(by_code, behaviors)) as server:
            run = run_script(self.script, '-v', '-m', 2, '-s', server.url, *FAILURES)
        lines = run.stdout.splitlines()
        assert '-' * 20 in lines, 'no report'
        told = dict(line.split(' ', 1) for line in lines[3 : lines.index('-' * 20)])
        for cc, (behavior, outcome) in FAILURES.items():
            assert re.fullmatch(outcome, told.get(cc, '')), f'{cc}, where the server {behavior}'
        assert counts(run.stdout) == {'downloaded': 1, 'found': 1, 'error': 10}
        assert (run.returncode, run.stderr) == (1, '')
        assert flag_files() == ['GB.gif']

    def test_first_error_is_told_once_below_the_bar(self, start_server: StartServer) -> None:
        server = start_server('--max-delay', 0, '--error-rate', 1)
        args = command(self.script, '-s', server.url)
        run = subprocess.run(args, capture_output=True, timeout=PATIENCE)  # with its \r
        stderr = run.stderr.decode().replace(os.linesep, '\n')
        told = rf"{re.escape(Path(self.script).name)}: [A-Z]{{2}}: HTTP error 418 - I'm a Teapot"
        assert re.search(rf'20/20 [^\r\n]*\n{told}\n\Z', stderr), 'no bar, then the first error'
        assert stderr.count('HTTP error') == 1

    @pytest.mark.parametrize(('told', 'lines'), HINDRANCES.items(), ids=HINDRANCES)
    def test_flag_that_cannot_be_saved_is_an_error_of_that_flag(
        self, told: str, lines: str, run_script: RunScript, fast_server: Server
    ) -> None:
        run = run_script(self.script, '-s', fast_server.url, **with_sitecustomize(lines))
        (complaint,) = complaints(run.stderr)
        assert complaint == f'{Path(self.script).name}: ID: {told}: {Path("downloaded/ID.gif")}'
        assert counts(run.stdout) == {'downloaded': 19, 'error': 1}
        assert run.returncode == 1

    @needs_posix
    def test_bar_counts_from_the_first_download_to_the_last(
        self, start_server: StartServer
    ) -> None:
        server = start_server('--min-delay', 0.1, '--max-delay', 0.4)
        total = 8 if self.workers == 1 else 60
        args = command(self.script, '-al', total, '-m', 30, '-s', server.url)
        bar = shown_on_terminal(args, 80, 'stderr')
        done = [int(count) for count in re.findall(r' (\d+)/\d+ \[', bar)]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, total)
        assert 0 < done[1] < total / 2
        assert re.search(r'\d\d:\d\d<\d\d:\d\d, +[\d.]+it/s\]', bar)
        assert bar.endswith('\n')

    def test_typo_of_a_reader_shows_its_traceback(
        self, run_script: RunScript, fast_server: Server
    ) -> None:
        if not self.downloads_in:
            pytest.skip('no line "image = ..." to put a typo into')
        copy, name = project_copy(), Path(self.script).name
        shutil.copyfile(ROOT / self.script, copy / name)  # which may be from elsewhere
        altered_copy(self.downloads_in, 'image = ', 'image = typo + ', copy)
        run = run_script(name, '-s', fast_server.url, folder=copy)
        assert run.returncode == 1
        assert "NameError: name 'typo' is not defined" in run.stderr.splitlines()[-1]
        assert 'error' not in counts(run.stdout)
        assert 'never retrieved' not in run.stderr


class WorkersPromises:
    """The scripts that check numbers with so many processes, in a given way of starting these."""

    script: str

    @pytest.mark.parametrize('method', METHODS)
    def test_answers_are_right_however_processes_start(self, method: str) -> None:
        with cpu_script(self.script, 2, numbers=SMALL, method=method) as process:
            lines = output_of(process)
        assert lines[0] == 'Checking 4 numbers with 2 processes:'
        assert answers(lines) == {n: PRIMALITY[n] for n in SMALL}

    def test_bad_number_of_workers_is_a_usage_error(self, run_script: RunScript) -> None:
        done = run_script(self.script, '0')
        assert (done.returncode, done.stdout) == (2, '')
        assert done.stderr.startswith(f'usage: {self.script}')
        assert f"'0' is not a number from 1 to {MAX_WORKERS}" in done.stderr
