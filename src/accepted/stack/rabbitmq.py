"""RabbitMQ of our own: its own node, vhost, folder and port mapper, on 127.0.0.1 only.

Erlang nodes find each other through `epmd`, which the first node starts as a daemon for the whole machine, and which
outlives it. Ours gets one of its own, on a port of its own, that ends with it.
"""

import os
import secrets
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import amqp

from accepted.stack import ports, processes
from accepted.stack.account import data_home
from accepted.stack.errors import Problem
from accepted.stack.service import Service
from accepted.stack.tether import Tether

USER = "accepted"
CORE = "rabbitmq_prelaunch"  # of all that is named rabbitmq_…, the one that is no plugin
# Debian's command in /usr/sbin insists on being run by root; the script behind it does not.
USUAL = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")


def find_rabbitmq() -> Path | None:
    """The folder of RabbitMQ's real scripts; None where it or Erlang is not installed."""
    if shutil.which("erl") is None:
        return None
    on_path = [Path(folder) for folder in os.get_exec_path()]
    followed = [(folder / "rabbitmq-server").resolve().parent for folder in on_path]
    for folder in (*on_path, *followed, *map(Path, USUAL)):
        if (folder / "rabbitmq-env").exists() and os.access(folder / "rabbitmq-server", os.X_OK):
            return folder
    return None


class RabbitMQ(Service):
    """A server with a fresh data folder, which `stop` leaves and `discard` removes."""

    label = "RabbitMQ"
    stop_signal = signal.SIGTERM

    def __init__(self, scripts: Path, home: Path, log: Path, tether: Tether, run: str) -> None:
        super().__init__(log, tether)
        self.scripts = scripts
        self._password = secrets.token_urlsafe(18)
        self.vhost = f"accepted-{run}"
        self.node = f"accepted-{secrets.token_hex(4)}@localhost"
        self.home = data_home(home, None, run)
        tether.hold_folder(self.home)
        self._mapper: subprocess.Popen[bytes] | None = None
        self._mapper_port = self._node_port = 0

    @property
    def url(self) -> str:
        """The URL of this run's vhost."""
        return f"amqp://{USER}:{self._password}@127.0.0.1:{self.port}/{self.vhost}"

    def command(self) -> Sequence[str]:
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "default_vhost": self.vhost,
            "default_user": USER,
            "default_pass": self._password,
            "log.file": "false",
            "log.console": "true",
            "log.console.level": "warning",
            "disk_free_limit.absolute": "50MB",
            "vm_memory_high_watermark.absolute": "512MB",
        }
        file = self.home / "rabbitmq.conf"
        file.touch(mode=0o600)  # it holds the password
        file.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.home / "enabled_plugins").write_text("[].\n")
        (self.home / "rabbitmq-env.conf").write_text(self._without_plugins())  # or the machine's own would be read
        return [str(self.scripts / "rabbitmq-server")]

    def environment(self) -> Mapping[str, str]:
        home = str(self.home)
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LC_ALL": "C.UTF-8",
            "HOME": home,  # for the Erlang cookie, which is a password as well
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": f"{home}/rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/mnesia",
            "RABBITMQ_LOG_BASE": f"{home}/log",
            "RABBITMQ_PID_FILE": f"{home}/pid",
            # Else a shell stays in front of it, which answers SIGTERM by starting `rabbitmqctl`, for seconds.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def answers(self) -> bool:
        return why_not(self.url, 2) is None

    def launch(self) -> None:
        self._end_mapper()
        self._mapper_port, self._node_port = ports.free_ports(2)
        mapper = shutil.which("epmd")
        if mapper is None:
            raise Problem("RabbitMQ cannot start", "Erlang's epmd is not on the PATH", "Install it with: make rabbitmq")
        self._mapper = self.spawn([mapper, "-port", str(self._mapper_port), "-address", "127.0.0.1"])
        processes.until(lambda: ports.answers(self._mapper_port), 5)  # or the node would start one that stays
        super().launch()

    def ready(self, seconds: float = 60.0) -> None:
        super().ready(max(seconds, 60.0))  # an Erlang node takes five seconds on a quiet machine

    def stop(self, seconds: float = 20.0) -> None:
        super().stop(max(seconds, 20.0))
        self._end_mapper()

    def kill(self) -> None:
        super().kill()
        self._end_mapper()

    def wipe(self) -> None:
        """Forgets everything, as a node does whose disk is lost: messages, queues, vhost."""
        self.kill()
        shutil.rmtree(self.home / "mnesia", ignore_errors=True)
        self.restart()

    def _without_plugins(self) -> str:
        """The line that gives the node a home with its own libraries alone; none where they are not where we look.

        Erlang before 26 looks for every module in each folder on its path (erlang/otp#5811), and RabbitMQ puts there
        the folders of some forty plugins which nobody enabled: half of its boot is failed lookups.
        """
        installed = (self.scripts / "rabbitmq-server").resolve().parent.parent / "plugins"
        if not any(installed.glob("rabbit-*")):
            return ""
        plugins = self.home / "server" / "plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        for library in installed.iterdir():
            plugin = library.name.startswith("rabbitmq_") and not library.name.startswith(CORE)
            link = plugins / library.name
            if not plugin and not link.is_symlink():  # it is there after a restart
                link.symlink_to(library)
        return f"RABBITMQ_HOME={shlex.quote(str(plugins.parent))}\n"

    def _end_mapper(self) -> None:
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(10)
            self._mapper = None


def why_not(url: str, seconds: float = 5.0) -> str | None:
    """Why the server at this URL can't be used; None where it answers and lets us in."""
    parts = urlsplit(url)
    connection = amqp.Connection(
        f"{parts.hostname or 'localhost'}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        virtual_host=unquote(parts.path.removeprefix("/")) or "/",
        ssl=parts.scheme == "amqps",
        connect_timeout=seconds,
        read_timeout=seconds,
        write_timeout=seconds,
    )
    try:
        connection.connect()
        connection.close()
    except (OSError, amqp.AMQPError) as error:
        return str(error) or type(error).__name__
    finally:
        connection.collect()  # a server that is just starting may hang up between the two
    return None
