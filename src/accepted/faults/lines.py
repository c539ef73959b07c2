"""Puts the proxies between each process of a run and what it talks to: the same URLs, with other ports."""

from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from accepted.faults.proxy import Proxies
from accepted.stack.environment import Addresses

# service: the variables that name it
SERVICES: Mapping[str, tuple[str, ...]] = {
    "postgres": ("DATABASE_URL",),
    "redis": ("REDIS_URL",),
    "broker": ("BROKER_URL",),
    "store": ("OBJECT_STORE_URL",),
    "partner": ("PARTNER_URL", "EMAIL_URL"),
}
_PROTOCOLS = {
    "postgres": "postgresql", "postgresql": "postgresql", "redis": "redis", "amqp": "amqp", "http": "http",
}  # fmt: skip
_PORTS = {"postgresql": 5432, "redis": 6379, "amqp": 5672, "http": 80}


class Lines:
    """Called once for each process, it gives that process's own variables."""

    def __init__(self, proxies: Proxies) -> None:
        self.proxies = proxies

    def __call__(self, process: str, where: Addresses) -> dict[str, str]:
        urls = {
            "postgres": where.database, "redis": where.redis, "broker": where.broker,
            "store": where.object_store, "partner": where.partner,
        }  # fmt: skip
        made: dict[str, str] = {}
        env: dict[str, str] = {}
        for service, variables in SERVICES.items():
            url = urls[service]
            if url not in made:  # a broker on Redis is the same server, and has the same line
                name = "rabbitmq" if url.startswith("amqp") else service
                made[url] = self._through(process, name, url)
            env |= dict.fromkeys(variables, made[url])
        return env

    def _through(self, process: str, service: str, url: str) -> str:
        parts = urlsplit(url)
        protocol = _PROTOCOLS.get(parts.scheme)
        if protocol is None or parts.hostname is None:
            return url  # memory://, s3://: not ours to read
        port = self.proxies.listen(process, service, protocol, parts.hostname, parts.port or _PORTS[protocol])
        login = parts.netloc.rpartition("@")[0]
        netloc = f"{login}@127.0.0.1:{port}" if login else f"127.0.0.1:{port}"
        return urlunsplit(parts._replace(netloc=netloc))
