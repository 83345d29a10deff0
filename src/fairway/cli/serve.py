"""`fairway serve`: the supervisor of web workers and the background process.  `fairway worker`: more of the latter.

The supervisor prepares everything that must happen once (schema, keys, first administrator), then only watches: it
forks the workers, which share its memory until they change it, and starts again whichever dies.
"""

import asyncio
import gc
import multiprocessing
import os
import sys
import threading
import time
from functools import partial
from multiprocessing.connection import wait
from typing import Annotated, Any

import typer
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from fairway import worker as background
from fairway.app import Hub
from fairway.boot import make
from fairway.cli import worker_loop
from fairway.cli.claim import Claim, claim, most_connections, raise_file_limit
from fairway.cli.first_start import announce, prepare
from fairway.cli.options import ConfigFile, DataDir, fail, load_settings
from fairway.cli.slow_readers import Limits, SlowReaders
from fairway.core.oci.errors import FairwayError
from fairway.frame import log
from fairway.frame.db.migrate import require_schema
from fairway.frame.metrics import forget_process, prepare_multiprocess
from fairway.frame.process import Alarm, signals_wait
from fairway.frame.settings import Settings

_log = log.get_logger(__name__)
_RESTART_SECONDS = 1.0
_BACKLOG = 4096


def serve(
    data_dir: DataDir = None,
    listen: Annotated[
        str | None, typer.Option(help="IP address and port.  Default: 127.0.0.1:8080", show_default=False)
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Web worker processes.  Default: 1", show_default=False)
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Start the registry."""
    os.umask(0o027)
    settings = load_settings(config, data_dir=data_dir, listen=listen, workers=workers)
    try:
        alone = claim(settings)
        prepare(settings)
        hub = Hub(make(settings))
    except FairwayError as error:
        fail(error)
    raise_file_limit()
    prepare_multiprocess(settings.data_dir / "run" / "metrics")
    multiprocessing.set_start_method("fork", force=True)
    hub.prepare()
    gc.freeze()  # what is there now stays shared with the workers
    server = _server(settings)
    helper = _Background(settings, alone)
    server.on_startup(helper.start)
    server.on_startup(partial(announce, settings))
    server.on_shutdown(helper.stop)
    server.serve(target_loader=partial(_loader, settings, alone, hub))


def worker(data_dir: DataDir = None, config: ConfigFile = None) -> None:
    """Run a further background process, on this host or another, against the same database and storage."""
    os.umask(0o027)
    settings = load_settings(config, data_dir=data_dir)
    try:
        asyncio.run(require_schema(settings.database_url))
        background.run(settings)
    except FairwayError as error:
        fail(error)


def _loader(settings: Settings, alone: Claim, hub: Hub, *_target: Any, **_options: Any) -> Hub:
    """Runs in each web worker, also in one that takes the place of another."""
    alone.leave_to_parent()
    log.configure(settings)
    limits = Limits(settings.slow_reader_seconds, settings.slow_reader_rate)
    SlowReaders(settings.port, limits).start()
    return hub


class _Supervisor(MPServer):
    """Granian's, but it never gives up, and no worker misses the word to stop.

    Granian ends everything when one worker dies twice within seconds.  A request that kills its worker must not take
    the others with it, and a worker that cannot start now may be able to later.
    """

    _respawned_at = 0.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.main_loop_interrupt = Alarm()  # type: ignore[assignment]

    def _spawn_worker(self, idx: int, target: Any, callback_loader: Any) -> Any:  # type: ignore[override]
        worker: Any = super()._spawn_worker(idx, target, callback_loader)
        fork = worker.start

        def start() -> None:
            with signals_wait():
                fork()

        def is_alive() -> bool:
            # Two threads of Granian wait for one worker, and whoever comes second believes for a moment that it lives:
            # it would be called stubborn, and its number, which may be somebody else's by then, be killed.
            return not wait([worker.inner.sentinel], 0)

        worker.start = start
        worker.is_alive = is_alive
        return worker

    def _respawn_workers(
        self, workers: list[int], spawn_target: Any, target_loader: Any, delay: float = 0
    ) -> None:
        since = time.monotonic() - self._respawned_at
        time.sleep(max(0.0, _RESTART_SECONDS - since))  # one that dies at once must not keep us busy
        for index in workers:
            forget_process(self.wrks[index].inner.pid)
        super()._respawn_workers(workers, spawn_target, target_loader, delay=delay)
        self._respawned_at = time.monotonic()
        self.respawned_wrks.clear()  # by which Granian would recognise the second death


def _server(settings: Settings) -> MPServer:
    worker_loop.install()
    return _Supervisor(
        "fairway",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.uvloop,
        backlog=_BACKLOG,
        backpressure=most_connections(),
        # HTTP/1 only: told to find out by itself, Granian waits for ever for a client that says nothing.
        http=HTTPModes.http1,
        websockets=False,
        http1_settings=HTTP1Settings(header_read_timeout=settings.idle_seconds * 1000),
        respawn_failed_workers=True,
        respawn_interval=_RESTART_SECONDS,
        workers_kill_timeout=settings.shutdown_seconds,
        log_level=LogLevels(settings.log_level),
        log_dictconfig=log.server_logging(settings),
        process_name=None,
    )


class _Background:
    """The background process, started again when it dies."""

    def __init__(self, settings: Settings, alone: Claim) -> None:
        self._settings = settings
        self._alone = alone
        self._stopping = threading.Event()
        self._forking = threading.Lock()
        self._process: Any = None
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._fork()
        self._watcher.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._forking:  # or another one would be begun after the last was told to end
            self._process.terminate()
        self._process.join(self._settings.shutdown_seconds)
        if self._process.is_alive():
            self._process.kill()

    def _fork(self) -> None:
        self._process = multiprocessing.get_context("fork").Process(
            name="fairway-background", target=_background_main, args=(self._settings, self._alone)
        )
        with signals_wait():
            self._process.start()

    def _watch(self) -> None:
        while True:
            self._process.join()
            # A terminal sends its SIGINT to every process at once: ours is coming too.
            if self._stopping.wait(_RESTART_SECONDS):
                return
            _log.error("the background process died; starting it again", exit=self._process.exitcode)
            forget_process(self._process.pid)
            with self._forking:
                if self._stopping.is_set():
                    return
                self._fork()


def _background_main(settings: Settings, alone: Claim) -> None:
    alone.leave_to_parent()
    try:
        background.run(settings)
    except FairwayError as error:
        sys.stderr.write(f"fairway: the background process: {error.message}\n")
        raise SystemExit(1) from None
