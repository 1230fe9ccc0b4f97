"""Real scripts and real servers for the tests, all stopped when a test ends."""

import json
import locale
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from variants import SERIES, choose, chosen

from support.files import raise_file_limit
from support.hosts import is_own, localhost

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60  # seconds until a test gives up on a script
LOCALHOST = localhost()  # or its address, where the name is unknown
OPEN_FILES = raise_file_limit()  # that any process may have, those that tests start included

# What a reader's environment may hold that changes where scripts connect, or what they print
FOREIGN = re.compile(
    r"""
    (?:http|https|all|no)_proxy | ssl_cert_(?:file|dir) | sslkeylogfile | flags_url
    | no_color | force_color | tqdm_.* | columns
    | pythonunbuffered  # the scripts have to flush their output themselves
    | pythondontwritebytecode  # else each script compiles all that it imports
    """,
    re.VERBOSE | re.IGNORECASE,
)


def make_environment() -> None:
    """Let what tests start find the same environment on every machine."""
    for name in list(os.environ):
        if FOREIGN.fullmatch(name):
            del os.environ[name]
    try:
        locale.setlocale(locale.LC_ALL, '')
    except locale.Error:  # it is not installed, of which shells warn on stderr
        os.environ['LC_ALL'] = 'C'
    if 'PYTHONWARNINGS' in os.environ:
        # which Python 3.15 says of its own tracebacks
        os.environ['PYTHONWARNINGS'] += ',ignore:Module globals is missing:DeprecationWarning'
    if sys.flags.dev_mode:
        os.environ['PYTHONPATH'] = str(ROOT / 'tests/dev_mode')
    if sys.platform == 'win32':
        os.environ['PYTHONIOENCODING'] = 'utf-8'  # into pipes, too
    for name in ('SIGINT', 'SIGTERM', 'SIGHUP'):
        number = getattr(signal, name, None)  # Windows has two of them
        if number and signal.getsignal(number) == signal.SIG_IGN:
            # as in a background job or by nohup: what is started would ignore it, too
            signal.signal(number, lambda *_: None)


make_environment()
settings.register_profile('tests', max_examples=30, deadline=None, database=None)  # anywhere
settings.load_profile('tests')
pytest.register_assert_rewrite('cpu_tools', 'endings', 'promises')

needs_posix = pytest.mark.skipif(os.name != 'posix', reason='needs a POSIX system')
needs_linux = pytest.mark.skipif(sys.platform != 'linux', reason='needs Linux')
needs_ipv6 = pytest.mark.skipif(not is_own(IPv6Address('::1')), reason='there is no ::1')
needs_localhost = pytest.mark.skipif(LOCALHOST != 'localhost', reason='localhost is unknown here')
needs_dask = pytest.mark.skipif(not find_spec('distributed'), reason='distributed is missing')
needs_full_disk = pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
needs_many_files = pytest.mark.skipif(
    OPEN_FILES < 2048, reason=f'{OPEN_FILES} open files are too few for 676 connections'
)

Script = subprocess.CompletedProcess[str]
RunScript = Callable[..., Script]
StartScript = Callable[..., subprocess.Popen[str]]


class Server(NamedTuple):
    """A running slow_server.py."""

    url: str
    process: subprocess.Popen[str]
    log: Path
    stderr: Path
    since: float = 0  # when the test began that uses the server, by its clock

    def now(self) -> float:
        """Return the time by the server's clock; that of the system may tick 64 times a second."""
        with urlopen(f'{self.url.removesuffix("/flags")}/requests?after={10**9}') as answer:
            return float(json.load(answer)['now'])

    def requests(self) -> list[dict[str, Any]]:
        """Return what the server has logged of the test's requests that it has finished."""
        requests = map(json.loads, self.log.read_text('utf-8').splitlines())
        return [request for request in requests if request['start'] >= self.since]

    def first_requests(self, count: int) -> list[dict[str, Any]]:
        """Return so many requests; a response may arrive before the server has logged it."""
        wait_until(lambda: len(self.requests()) >= count)
        return self.requests()[:count]

    def lines(self) -> list[str]:
        """Return the lines that the server has printed on stderr."""
        return self.stderr.read_text('utf-8').splitlines()


StartServer = Callable[..., Server]

CODE = [
    '*.py',
    '*.html',
    '*.txt',
    '__pycache__/*',
    'comparing/**/*',
    'serving/**/*',
    'support/**/*',
]


def command(script: str, *args: object, folder: Path = ROOT, method: str = '') -> list[str]:
    """Return the command that runs a script of the project, maybe with a process start method."""
    starter = [ROOT / 'tests/start_method.py', method] if method else []
    return [sys.executable, *map(str, [*starter, folder / script, *args])]


def project_copy(with_flags: bool = False) -> Path:
    """Return a folder with a copy of the project, which may be altered.

    Only a server that is started from there needs the flags, which are most of the files.
    """
    copy = Path(tempfile.mkdtemp(dir=Path.cwd()))
    for pattern in [*CODE, 'flags/**/*'] if with_flags else CODE:
        for path in ROOT.glob(pattern):
            if path.is_file():
                target = copy / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # which a Python that compiles has just renamed
                    times = path.stat()
                    shutil.copyfile(path, target)  # without its mode, which may forbid to write
                    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))  # else all compiles
    return copy


def altered_copy(file: str, old: str, new: str, copy: Path | None = None) -> Path:
    """Return a folder with a copy of the project in which one text of a file is replaced."""
    copy = copy or project_copy()
    before, found, after = (copy / file).read_text('utf-8').partition(old)
    assert found
    (copy / file).write_text(before + new + after, 'utf-8')
    return copy


def copy_with_port(label_port: object, free_port: int) -> Path:
    """Return a folder with a copy of the project in which a label has another port."""
    copy = project_copy(with_flags=True)
    return altered_copy('support/servers.py', str(label_port), str(free_port), copy)


def with_module(name: str, *lines: str) -> dict[str, str]:
    """Return an environment in which each Python finds a module of these lines first."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    (folder / f'{name}.py').write_text('\n'.join(lines), 'utf-8')
    others = os.environ.get('PYTHONPATH')
    return {'PYTHONPATH': f'{folder}{os.pathsep}{others}' if others else str(folder)}


def without(module: str) -> dict[str, str]:
    """Return an environment in which a module cannot be imported."""
    return with_module(module, 'raise ModuleNotFoundError')


def with_sitecustomize(*lines: str) -> dict[str, str]:
    """Return an environment in which each Python runs these lines first."""
    return with_module('sitecustomize', *lines)


@contextmanager
def started(args: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a process that leads a group of its own; kill the whole group in the end."""
    # readline sets COLUMNS, of which os.environ does not know
    streams = {'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE}
    options = {'env': os.environ} | streams | options
    if sys.platform == 'win32':
        options['creationflags'] = subprocess.CREATE_NEW_CONSOLE  # of its own, for Ctrl-C
    with subprocess.Popen(args, start_new_session=True, encoding='utf-8', **options) as process:
        try:
            yield process
        finally:
            kill_group(process)


def kill_group(process: subprocess.Popen[str]) -> None:
    """Kill a process and, where there are groups, all others in its group."""
    if sys.platform == 'win32':
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def limited(process: subprocess.Popen[str]) -> Iterator[None]:
    """Kill a process that takes too long, so that its output ends."""
    timer = threading.Timer(PATIENCE, kill_group, [process])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def press_ctrl_c(process: subprocess.Popen[str]) -> None:
    """Do to a process and its children what a terminal does."""
    if sys.platform != 'win32':
        os.killpg(process.pid, signal.SIGINT)
        return
    # Only a process that is attached to the other one's console can do that
    code = (
        'import ctypes, sys; k = ctypes.windll.kernel32; k.FreeConsole(); '
        'k.AttachConsole(int(sys.argv[1])); k.SetConsoleCtrlHandler(None, 1); '
        'k.GenerateConsoleCtrlEvent(0, 0)'
    )
    subprocess.run([sys.executable, '-c', code, str(process.pid)], check=True, timeout=PATIENCE)


def shown_on_terminal(args: list[str], columns: int, *streams: str) -> str:
    """Return what a process shows if its stdout or stderr, or both, are a terminal."""
    import pty  # which Windows does not have
    import termios

    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    silent = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    output = b''
    with started(args, **silent | dict.fromkeys(streams, terminal)) as process, limited(process):
        os.close(terminal)
        with suppress(OSError):  # the other end is closed
            while chunk := os.read(controller, 4096):
                output += chunk
    os.close(controller)
    return output.decode()


@contextmanager
def serving(log: Path, *options: object, port: int = 0) -> Iterator[Server]:
    """Run slow_server.py for as long as the block takes, by default on a free port."""
    args = command('slow_server.py', port, '--log', log, *options)
    errors = log.with_suffix('.err')
    with (
        errors.open('w', encoding='utf-8') as stderr,
        started(args, stderr=stderr, cwd=log.parent) as process,
    ):
        assert process.stdout
        yield Server(process.stdout.readline().split()[-1], process, log, errors)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a reader name a script for test_variant.py."""
    parser.addoption('--variant', metavar='SCRIPT', help='script that has to keep its promises')
    parser.addoption('--series', choices=SERIES, help='its series, if its imports do not tell')


def pytest_configure(config: pytest.Config) -> None:
    """Tell test_variant.py of the script, and the reader in short what goes wrong with it."""
    if name := config.getoption('variant', None):
        variant = choose(name, config.getoption('series'), config.invocation_params.dir)
        chosen.append(variant)
        config.option.variant = variant.script  # for processes of pytest-xdist
        if config.option.tbstyle == 'auto':
            config.option.tbstyle = 'short'


@pytest.fixture(scope='session', autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have what tests start, and kill, leave its temporary files in a folder of the tests."""
    folder = tmp_path_factory.getbasetemp() / 'tmp'  # short, as sockets are made there
    folder.mkdir()
    os.environ.update(dict.fromkeys(['TMPDIR', 'TEMP', 'TMP'], str(folder)))


@pytest.fixture(autouse=True)
def in_fresh_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what scripts download away from the project's folder, and from other tests."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_script() -> RunScript:
    """Run a script to its end, in an environment of one's own; its output is in the result."""

    def run(
        script: str, *args: object, folder: Path = ROOT, method: str = '', **environ: str
    ) -> Script:
        words = command(script, *args, folder=folder, method=method)
        with started(words, env=os.environ | environ) as process:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        return Script(words, process.returncode, stdout, stderr)

    return run


@pytest.fixture
def start_script() -> Iterator[StartScript]:
    """Start a script, which is killed at the end of the test if it still runs."""
    with ExitStack() as stack:

        def start(script: str, *args: object, **options: Any) -> subprocess.Popen[str]:
            return stack.enter_context(started(command(script, *args, **options)))

        yield start


@pytest.fixture
def rng() -> random.Random:
    """Return a source of random numbers; a failed test shows the SEED to repeat them with."""
    seed = int(os.environ.get('SEED', time.time_ns() % 1_000_000))
    print(f'SEED={seed}')
    return random.Random(seed)


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start slow_server.py with some options; it is killed at the end of the test."""
    with ExitStack() as stack:

        def start(*options: object, port: int = 0) -> Server:
            log = tmp_path / f'{time.monotonic_ns()}.log'
            return stack.enter_context(serving(log, *options, port=port))

        yield start


@pytest.fixture(scope='session')
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server that answers at once until all tests are over."""
    with serving(tmp_path_factory.mktemp('shared') / 'log', '--max-delay', 0) as server:
        yield server


@pytest.fixture
def fast_server(shared_server: Server) -> Server:
    """Return a server that answers at once, and that other tests have used before."""
    return shared_server._replace(since=shared_server.now())


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.fixture
def file_server(free_port: int) -> Iterator[str]:
    """Run the file server of the standard library on the project; return its base URL."""
    args = [sys.executable, '-m', 'http.server', '--directory', str(ROOT), str(free_port)]
    with started([*args, '--bind', '127.0.0.1'], stderr=subprocess.DEVNULL):
        wait_until(lambda: accepts_connections(free_port))
        yield f'http://127.0.0.1:{free_port}/flags'


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on a port of localhost, at any of its addresses."""
    try:
        socket.create_connection((LOCALHOST, port), 1).close()
    except OSError:
        return False
    return True


def connect(url: str) -> socket.socket:
    """Connect to a server as a client that has not said anything yet."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)


def flag_url(base_url: str, cc: str) -> str:
    """Return the URL of a flag, or its path below a folder."""
    return f'{base_url}/{cc}/{cc}.gif'.lower()


def flag(cc: str) -> bytes:
    """Return the flag that has to be served for a code."""
    return (ROOT / flag_url('flags', cc)).read_bytes()


def flag_files() -> list[str]:
    """Return the names of all files in the folder for downloads, hidden ones too."""
    return sorted(path.name for path in Path('downloaded').iterdir())


def processes(belongs: Callable[[psutil.Process], bool]) -> dict[int, str]:
    """Return the command lines of the processes that belong, by number."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has ended meanwhile, or is not ours
            if belongs(process) and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = ' '.join(process.cmdline())
    return found


def running_here() -> dict[int, str]:
    """Return the command lines of all processes, by number, that work in the current folder."""
    here = str(Path.cwd())
    return processes(lambda process: process.cwd() == here and process.pid != os.getpid())


def members(session: int) -> dict[int, str]:
    """Return the command lines of the processes in a session, by number."""
    if sys.platform == 'win32':  # which has no sessions, but remembers parents that have ended
        parents = {process.pid: process.ppid() for process in psutil.process_iter()}
        family = {session}  # python.exe of a virtual environment is but the parent of another
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        return processes(lambda process: process.pid in family)
    return processes(lambda process: os.getsid(process.pid) == session)


def wait_until(happens: Callable[[], object]) -> None:
    """Wait until happens() is true; fail if that takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < deadline, 'waited in vain'
        time.sleep(0.02)
