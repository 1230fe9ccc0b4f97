"""What goes on after a script: notebooks, prompts and debuggers get back what it has changed.

Each test drives the real host: a kernel of Jupyter, or IPython, Python and pdb on a terminal.
"""

import itertools
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import psutil  # type: ignore[import-untyped]
import pytest
from conftest import (
    PATIENCE,
    ROOT,
    RunScript,
    Server,
    flag_files,
    needs_dask,
    needs_posix,
    wait_until,
)
from endings import counts
from raw_server import RawServer, misbehaving

HAS_HOSTS = find_spec('ipykernel') and find_spec('pexpect')
needs_hosts = pytest.mark.skipif(not HAS_HOSTS, reason='ipykernel or pexpect is missing')

leaves_sockets = pytest.mark.filterwarnings(
    'ignore::ResourceWarning', 'ignore::pytest.PytestUnraisableExceptionWarning'
)
pytestmark = [needs_posix, needs_hosts, leaves_sockets]  # as the client of kernels does

# What a run may change in a process; %run leaves the names of a script in the notebook
STATE = """
import multiprocessing, os, sys
sys.path.insert(0, {root!r})
mine = 1
def state():
    import multiprocessing, os, signal, sys, threading, tqdm, warnings
    signals = [signal.getsignal(number) for number in (2, 13, 14, 15)]
    hooks = threading.excepthook, sys.unraisablehook, sys.stdout, sys.stderr
    bar = tqdm.tqdm.monitor_interval, '_lock' in vars(tqdm.tqdm)
    method = multiprocessing.get_start_method()
    return signals, hooks, bar, method, warnings.filters[:], dict(os.environ), signal.getitimer(0)
before = state()
"""


class Answer(NamedTuple):
    """What a cell has printed, and the error that it has ended in."""

    text: str
    error: str


class Kernel:
    """A notebook's kernel."""

    def __init__(self, client: Any, manager: Any) -> None:
        """Prepare it for comparisons of what is changed in it."""
        self.client, self.manager = client, manager
        self.run(STATE.format(root=str(ROOT)))

    def run(self, code: str) -> Answer:
        """Run a cell."""
        texts, errors = [], []

        def take(message: dict[str, Any]) -> None:
            content = message['content']
            if message['msg_type'] == 'error':
                errors.append(f'{content["ename"]}: {content["evalue"]}')
            texts.append(content.get('text') or content.get('data', {}).get('text/plain', ''))

        self.client.execute_interactive(code, timeout=PATIENCE, output_hook=take)
        return Answer(''.join(texts), ''.join(errors))

    def interrupted(self, code: str, is_time: Callable[[], object], times: int = 1) -> Answer:
        """Run a cell, and interrupt it when it is time, maybe more than once."""

        def interrupt() -> None:
            wait_until(is_time)
            for _ in range(times):
                time.sleep(0.3)
                self.manager.interrupt_kernel()

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            return self.run(code)
        finally:
            thread.join()

    def is_as_before(self) -> bool:
        """Tell whether all that it had is still there, and nothing is changed."""
        return self.run('mine == 1 and before == state()').text == 'True'


@pytest.fixture(scope='module')
def shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """Start a kernel, for all tests of this file."""
    from jupyter_client.manager import start_new_kernel

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONWARNINGS', 'ignore')  # what kernels themselves are warned of
        patch.setenv('PYTHONDEVMODE', '')
        manager, client = start_new_kernel(cwd=str(tmp_path_factory.mktemp('kernel')))
    try:
        yield Kernel(client, manager)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Kernel:
    """Return that kernel, in a fresh folder."""
    shared_kernel.run(f'os.chdir({str(Path.cwd())!r})')
    return shared_kernel


def flags_run(script: str, *words: object) -> str:
    """Return the line of IPython that runs a script."""
    return ' '.join(map(str, ['%run', ROOT / script, *words]))


SCRIPTS = {
    'flags.py': '\n20 downloads in ',
    'flags_threadpool.py': '\n20 downloads in ',
    'flags_threadpool_futures.py': "result: 'US'",
    'flags_processpool.py': '\n20 downloads in ',
    'flags2_sequential.py': '20 flags downloaded.\nElapsed',
    'flags2_threadpool.py': '20 flags downloaded.\nElapsed',
}


def test_scripts_run_in_a_notebook_and_leave_it_as_it_was(
    kernel: Kernel, fast_server: Server
) -> None:
    told = {script: kernel.run(flags_run(script, '-s', fast_server.url)) for script in SCRIPTS}
    assert {script: answer.error for script, answer in told.items()} == dict.fromkeys(SCRIPTS, '')
    assert [script for script, text in SCRIPTS.items() if text not in told[script].text] == []
    assert len(flag_files()) == 20
    assert kernel.is_as_before()
    agents = dict.fromkeys(each['agent'] for each in fast_server.first_requests(105))
    assert list(agents) == list(SCRIPTS)


IN_ALL_ORDERS = ['proc_pool.py 2', 'procs.py 2', 'flags_processpool.py -s URL', 'flags.py -s URL']
TIMES = re.compile(r'\d\.\d\ds\n$')


def test_each_script_runs_after_each_other_one_and_twice(
    kernel: Kernel, fast_server: Server
) -> None:
    """New processes must find the script that runs now, not the one of an earlier run."""
    kernel.run('import primes; primes.NUMBERS[:] = [2, 3]')
    pairs = itertools.combinations_with_replacement(IN_ALL_ORDERS, 2)
    for words in [*itertools.chain(*pairs), IN_ALL_ORDERS[0]]:
        answer = kernel.run(flags_run(*words.replace('URL', fast_server.url).split()))
        assert (answer.error, bool(TIMES.search(answer.text))) == ('', True), words
    kernel.run('primes.NUMBERS[:] = primes.PRIMALITY')
    assert kernel.is_as_before()
    assert kernel.run('multiprocessing.active_children()').text == '[]'


@needs_dask
def test_dask_workers_start_as_often_as_one_likes(kernel: Kernel) -> None:
    kernel.run('import primes; primes.NUMBERS[:] = [2, 3]')
    for _ in range(2):
        answer = kernel.run(flags_run('prime_pools.py', '1 -x dask'))
        assert (answer.error, bool(TIMES.search(answer.text))) == ('', True)
    kernel.run('primes.NUMBERS[:] = primes.PRIMALITY')
    kernel.run('before = state()')  # dask and numpy change the environment and warnings


@pytest.mark.parametrize('how', ['%run -m {name}', '%run -i {root}/{name}.py'])
def test_arguments_are_read_however_a_script_is_run_but_not_at_the_prompt(
    how: str, kernel: Kernel, fast_server: Server
) -> None:
    """IPython leaves traces of either way in the notebook's own module."""
    lines = {name: how.format(name=name, root=ROOT) for name in ('flags2_sequential', 'procs')}
    kernel.run('import primes; primes.NUMBERS[:] = [2, 3]')
    assert '2 checks in ' in kernel.run(f'{lines["procs"]} 1').text
    for _ in range(2):
        answer = kernel.run(f'{lines["flags2_sequential"]} br -v -s {fast_server.url}')
        assert (answer.error, counts(answer.text)) == ('', {'downloaded': 1})
        assert '\nBR OK\n' in answer.text
        kernel.run(f'import flags; flags.BASE_URL = {fast_server.url!r}')
        assert kernel.run('flags.main(flags.download_many)').error == ''
    assert 'Total time: ' in kernel.run(f'%run -i {ROOT}/proc_pool.py 1').text
    kernel.run('primes.NUMBERS[:] = primes.PRIMALITY')


def test_each_run_in_a_session_knows_nothing_of_the_one_before(
    kernel: Kernel, fast_server: Server
) -> None:
    with misbehaving('answers 500') as broken:
        failed = kernel.run(flags_run('flags2_threadpool.py', '-s', broken.url))
    assert counts(failed.text) == {'downloaded': 0, 'error': 20}
    assert failed.error == 'SystemExit: 1'
    for _ in range(2):
        run = kernel.run(flags_run('flags2_threadpool.py', '-s', fast_server.url))
        assert counts(run.text) == {'downloaded': 20}
        assert 'HTTP error' not in run.text


@pytest.mark.parametrize(
    'script', ['flags.py', 'flags_processpool.py', 'flags2_sequential.py', 'flags2_threadpool.py']
)
def test_interrupted_script_reports_and_the_notebook_goes_on(
    script: str, kernel: Kernel, fast_server: Server
) -> None:
    with misbehaving('never answers') as server:
        line = flags_run(script, '-s', server.url)
        run = kernel.interrupted(line, lambda: server.connections)
    assert run.error == 'SystemExit: 130'
    if 'flags2' in script:
        assert counts(run.text) == {'downloaded': 0, 'cancelled': 20}
    else:
        assert f'{script}: interrupted' in run.text
    save = "flags.save_flag(flags.get_flag('BR'), 'again.gif')"
    in_a_thread = 'import threading; thread = threading.Thread(target=lambda: exec(call))'
    kernel.run(f'import flags; flags.BASE_URL, call = {fast_server.url!r}, {save!r}')
    kernel.run(f'{in_a_thread}; thread.start(); thread.join()')
    assert 'again.gif' in flag_files()
    again = kernel.run(flags_run(script, '-s', fast_server.url))
    assert SCRIPTS[script] in again.text
    assert kernel.is_as_before()
    spin = 'open("spins", "w"); import time\nwhile True: time.sleep(0.1)'
    assert kernel.interrupted(spin, Path('spins').exists).error.startswith('KeyboardInterrupt')


@pytest.mark.parametrize('script', ['proc_pool.py', 'procs.py', 'prime_pools.py'])
def test_work_that_computes_can_be_interrupted_in_a_notebook(script: str, kernel: Kernel) -> None:
    """Threads that compute cannot be broken off, so they are waited for."""
    kernel.run(f'import primes; primes.NUMBERS[:] = [2, *[999999999989] * 2, *{[10**15 + 37] * 6}]')
    process = psutil.Process(int(kernel.run('os.getpid()').text))
    before = process.cpu_times().user

    def workers_compute() -> bool:
        if script == 'prime_pools.py':
            return bool(process.cpu_times().user > before + 0.5)
        spent = [child.cpu_times().user for child in process.children()]
        return len([seconds for seconds in spent if seconds > 0.5]) == 2

    run = kernel.interrupted(flags_run(script, 2), workers_compute)
    kernel.run('primes.NUMBERS[:] = primes.PRIMALITY')
    assert run.text.endswith(f'{script}: interrupted\n')
    assert run.error == 'SystemExit: 130'
    assert kernel.is_as_before()


def test_second_interrupt_ends_what_cannot_be_broken_off(kernel: Kernel) -> None:
    """The job has a thread that sleeps for two minutes."""
    line = f'Path = __import__("pathlib").Path; Path("ready").touch()\n%run {ROOT}/tests/jobs.py'
    run = kernel.interrupted(f'{line} speak_slowly', Path('ready').exists, times=2)
    assert run.text == 'ready\njobs.py: goodbye\n'
    assert kernel.is_as_before()


@pytest.mark.parametrize('script', ['flags_asyncio', 'flags2_asyncio'])
def test_script_with_a_loop_of_its_own_says_what_to_await_instead(
    script: str, kernel: Kernel, fast_server: Server
) -> None:
    line = flags_run(f'{script}.py', '-s', fast_server.url)
    run = kernel.run(f'import warnings; warnings.simplefilter("always")\n{line}')
    told = 'an event loop runs here: import the script, and await its supervisor(...) in a cell'
    assert f'{script}.py: {told}\n' in run.text
    assert 'Warning' not in run.text
    kernel.run('warnings.simplefilter("ignore")')
    arguments = f"['BR', 'CN'], {fast_server.url!r}, True, 2"
    if script == 'flags_asyncio':
        kernel.run(f'import flags; flags.BASE_URL = {fast_server.url!r}')
        arguments = "['BR', 'CN']"
    answer = kernel.run(f'import {script}; await {script}.supervisor({arguments})')
    assert answer.error == ''
    assert flag_files() == ['BR.gif', 'CN.gif']


def test_main_that_is_called_in_a_cell_reads_no_command_line(
    kernel: Kernel, fast_server: Server
) -> None:
    kernel.run(f'import flags, flags2_sequential; flags.BASE_URL = {fast_server.url!r}')
    first = kernel.run('flags.main(flags.download_many)')
    assert (first.error, '\n20 downloads in ' in first.text) == ('', True)
    second = kernel.run('flags2_sequential.main(flags2_sequential.download_many, 1, 1)')
    assert (second.error, counts(second.text)) == ('', {'downloaded': 20})
    assert kernel.run("len(flags.get_flag('BR')) > 1000").text == 'True'
    assert {each['agent'] for each in fast_server.first_requests(41)} == {'Python session'}
    third = kernel.run('import flags_processpool; flags.main(flags_processpool.download_many)')
    assert (third.error, '\n20 downloads in ' in third.text) == ('', True)
    kernel.run("flags.BASE_URL = 'http://127.0.0.1:1/flags'")
    refused = kernel.run('flags.main(flags.download_many)')
    assert (refused.error, 'Python session: Connection refused' in refused.text) == ('', True)


PROMPT = '>' * 3 + ' '  # not to be taken for an example


class Host(NamedTuple):
    """A program on a terminal: how it starts, its prompt, and how it runs a script."""

    words: list[str]
    prompt: str
    line: str = ''


HOSTS = {
    'ipython': Host(
        ['-m', 'IPython', '--simple-prompt', '--no-banner', '--quick'],
        r'In \[\d+\]: ',
        '%run {script} -s {url}',
    ),
    'pdb': Host(['-m', 'pdb', '{script}', '-s', '{url}'], r'\(Pdb\) ', 'continue'),
    'python': Host([], PROMPT),
    'asyncio': Host(['-m', 'asyncio'], PROMPT),
}
CALL = """import signal, sys; before = signal.getsignal(2); \
sys.path.insert(0, {root!r}); import flags; flags.BASE_URL = '{url}'"""


def on_terminal(host: str, script: Path, url: str) -> Any:
    """Start a program on a terminal, and wait for its prompt."""
    import pexpect

    words = [word.format(script=script, url=url) for word in HOSTS[host].words]
    environ = os.environ | {'PYTHONWARNINGS': 'ignore', 'PYTHONDEVMODE': '', 'TERM': 'dumb'}
    program = pexpect.spawn(
        sys.executable, words, encoding='utf-8', timeout=PATIENCE, echo=False, env=environ
    )
    program.expect(HOSTS[host].prompt)
    return program


def wait_for_another(server: RawServer, seen: int) -> None:
    """Wait until a script has connected once more, and waits for an answer."""
    wait_until(lambda: len(server.connections) > seen)
    time.sleep(0.3)


@pytest.mark.parametrize('host', ['ipython', 'pdb'])
@pytest.mark.parametrize('script', ['flags.py', 'flags2_sequential.py'])
def test_ctrl_c_brings_back_the_prompt_as_often_as_one_likes(host: str, script: str) -> None:
    with misbehaving('never answers') as server:
        program = on_terminal(host, ROOT / script, server.url)
        for _ in range(2):
            seen = len(server.connections)
            program.sendline(HOSTS[host].line.format(script=ROOT / script, url=server.url))
            wait_for_another(server, seen)
            program.sendintr()
            program.expect('20 cancelled' if 'flags2' in script else 'flags.py: interrupted')
            program.expect(HOSTS[host].prompt)
        time.sleep(1)  # in which nothing ends it
        program.sendline('print(6 * 7)')
        program.expect('42')
        program.close(force=True)


@pytest.mark.parametrize('host', ['python', 'asyncio'])
def test_ctrl_c_at_pythons_own_prompt_is_as_always(host: str) -> None:
    with misbehaving('never answers') as server:
        program = on_terminal(host, Path(), '')
        program.expect(PROMPT) if host == 'asyncio' else None  # it imports that, as one can see
        program.sendline(CALL.format(root=str(ROOT), url=server.url))
        for _ in range(2):
            seen = len(server.connections)
            program.sendline('for _ in range(3): flags.main(flags.download_many)\n')
            wait_for_another(server, seen)
            program.sendintr()
            program.expect('Python session: interrupted')
            program.expect('KeyboardInterrupt')
            program.expect(PROMPT)
            assert len(server.connections) == seen + 1  # the loop has ended, too
        program.sendline('while True: pass\n')
        time.sleep(0.3)
        program.sendintr()
        program.expect('KeyboardInterrupt')
        program.sendline('before is signal.getsignal(2)')
        program.expect('True')
        program.sendline('exit(7)')
        wait_until(lambda: not program.isalive())
        assert (program.exitstatus, program.signalstatus) == (7, None)


def test_sigterm_ends_a_prompt_also_while_it_downloads() -> None:
    with misbehaving('never answers') as server:
        program = on_terminal('python', Path(), '')
        program.sendline(CALL.format(root=str(ROOT), url=server.url))
        program.sendline('flags.main(flags.download_many)')
        wait_for_another(server, 0)
        program.kill(signal.SIGTERM)
        wait_until(lambda: not program.isalive())
        assert program.signalstatus == signal.SIGTERM


def test_script_before_a_prompt_leaves_its_report_only() -> None:
    import pexpect

    with misbehaving('never answers') as server:
        words = ['-i', str(ROOT / 'flags2_sequential.py'), '-s', server.url]
        program = pexpect.spawn(sys.executable, words, encoding='utf-8', timeout=PATIENCE)
        wait_for_another(server, 0)
        program.sendintr()
        program.expect('20 cancelled')
        program.expect(PROMPT)
        assert 'Traceback' not in program.before
        program.sendline('while True: pass\n')
        time.sleep(0.3)
        program.sendintr()
        program.expect('KeyboardInterrupt')
        program.close(force=True)


IN_A_THREAD = """
import io, signal, sys, threading
sys.path.insert(0, {root!r})
import flags
before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
flags.BASE_URL = sys.argv.pop()
sys.stdout = io.StringIO()
thread = threading.Thread(target=flags.main, args=[flags.download_many])
thread.start()
thread.join()
assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
sys.__stdout__.write(sys.stdout.getvalue())
"""


def test_main_runs_in_a_thread_and_into_any_stream(
    run_script: RunScript, fast_server: Server, tmp_path: Path
) -> None:
    script = tmp_path / 'threaded.py'
    script.write_text(IN_A_THREAD.format(root=str(ROOT)), 'utf-8')
    run = run_script('threaded.py', fast_server.url, folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, '')
    assert re.search(r'\n20 downloads in \d', run.stdout)
