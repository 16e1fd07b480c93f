"""API processes: the parent binds the sockets and watches; the children serve them."""
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time

import waitress.server
from oslo_config import cfg

from tricircle import config, metrics
from tricircle.api import channel, scrape
from tricircle.api.gateway import Gateway
from tricircle.api.processors import Processors
from tricircle.api.wsgi import application

LOG = logging.getLogger(__name__)
SERVICES = ("admin", "compute", "volume", "network")
DRAIN_SECONDS = 30
# What waitress keeps of an answer before it makes the application wait for the client.
AHEAD_BYTES = 1 << 20
SETTLE_SECONDS = 2.0   # between two looks at what the processors do
RESTART_PAUSE = 1.0   # seconds: a child that dies at once must not be forked in a tight loop


def listen(conf: cfg.ConfigOpts) -> dict[str, socket.socket]:
    """Bind the four ports, and that for Prometheus where there is one.

    Returns:
        {service: listening socket}.

    Raises:
        OSError: a port is taken.
    """
    places = {service: (conf.api.bind_host, getattr(conf.api, f"{service}_port")) for service in SERVICES}
    if conf.metrics.port:
        places["metrics"] = (conf.metrics.bind_host, conf.metrics.port)
    sockets = {}
    for service, (host, port) in places.items():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sockets[service] = sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(1024)
    return sockets


def run(conf: cfg.ConfigOpts) -> int:
    """Serve until SIGTERM or SIGINT; requests in flight are finished.

    Returns:
        Exit status.
    """
    _lift_file_limit()
    metrics.end(config.metrics_folder(conf), "api*")   # also of places that fewer processes do not take any more
    sockets = listen(conf)
    children: dict[int, tuple[int, float]] = {}   # pid -> (place among its siblings, born at)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        for pid in children:
            _kill(pid)

    def settle(*_: object) -> None:
        if conf.api.pin_processes:
            processors.settle(children)

    processors = Processors()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, settle)   # the parent waits for its children, and for nothing else
    signal.setitimer(signal.ITIMER_REAL, SETTLE_SECONDS, SETTLE_SECONDS)
    LOG.info("serving on %s", {name: sock.getsockname()[1] for name, sock in sockets.items()})
    while not stopping.is_set():
        while len(children) < conf.api.processes and not stopping.is_set():
            place = min(set(range(conf.api.processes)) - {place for place, _ in children.values()})
            children[_spawn(conf, sockets, place)] = place, time.monotonic()
            settle()   # at once: the threads that the child will begin have its place
        _reap(children, stopping)
    stop()   # again: a child that was being forked while the signal came has not heard of it
    while children:
        _reap(children, stopping)
    # Python gives the signals' handlers back before it ends, and the next alarm would kill it.
    signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def _lift_file_limit() -> None:
    """A thousand connections for each of the four ports; systemd and shells give 1024 files unless asked for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _spawn(conf: cfg.ConfigOpts, sockets: dict[str, socket.socket], place: int) -> int:
    parent = os.getpid()   # asked here: a child whose parent is dead by the time it asks would take init for it
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)   # the parent's handler would signal this child's siblings
        metrics.begin(config.metrics_folder(conf), f"api{place}")
        _child(conf, sockets, parent)
        status = 0
    finally:
        # Not sys.exit: the parent's clean-up is not the child's business.
        sys.stderr.flush()
        os._exit(status)


def _child(conf: cfg.ConfigOpts, sockets: dict[str, socket.socket], parent: int) -> None:
    gateway = Gateway.build(conf)
    servers = [_server(conf, gateway, name, sock) for name, sock in sockets.items()]
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    for server in servers:
        threading.Thread(target=server.run, daemon=True).start()
    while not stopped.wait(1.0):
        if os.getppid() != parent:
            return   # the parent was killed: nobody would stop this process any more
    _drain(servers)


def _server(conf: cfg.ConfigOpts, gateway: Gateway, name: str, sock: socket.socket) -> "waitress.server.BaseWSGIServer":
    wsgi = scrape.application(conf, gateway.db) if name == "metrics" else application(gateway, name)
    server = channel.create_server(
        wsgi, conf.api.max_body_bytes, conf.api.max_upload_bytes, conf.api.trusted_proxy, sockets=[sock],
        threads=conf.api.threads, ident="tricircle", outbuf_high_watermark=AHEAD_BYTES,
        expose_tracebacks=False,
        asyncore_use_poll=True)   # select() ends at file descriptor 1023
    # A client who stops reading in the middle of a stream would hold a thread and a pod's connection for ever.
    stall = (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(conf.pods.deadline * 1000))
    server.adj.socket_options = [*server.adj.socket_options, stall]
    return server


def _drain(servers: list) -> None:
    """Let requests that have begun come to their end."""
    for server in servers:
        server.adj.connection_limit = 0   # no new connections
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and any(_busy(server) for server in servers):
        time.sleep(0.05)


def _busy(server: "waitress.server.BaseWSGIServer") -> bool:
    work = server.task_dispatcher
    return bool(work.active_count or work.queue or
                any(channel.requests or channel.total_outbufs_len for channel in list(server.active_channels.values())))


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return


def _reap(children: dict[int, tuple[int, float]], stopping: threading.Event) -> None:
    try:
        pid, status = os.wait()
    except InterruptedError:
        return
    except ChildProcessError:
        children.clear()
        return
    _, born = children.pop(pid, (0, 0.0))
    if not stopping.is_set():
        LOG.error("API process %s ended with status %s; another one takes its place", pid, status)
        if time.monotonic() - born < RESTART_PAUSE:
            time.sleep(RESTART_PAUSE)
