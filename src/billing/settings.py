"""What a process reads from its environment; `docs/contract.md` lists the same names with their meaning."""

import os
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Settings(BaseModel):
    """Durations are seconds. Every field is the environment variable of the same name in capitals."""

    # Not pydantic-settings: all that it adds to this is time, a third more, before a process has them.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    # Where things are
    database_url: str = "postgresql://127.0.0.1:5432/accepted"
    redis_url: str = "redis://127.0.0.1:6379/0"
    broker_url: str = ""
    object_store_url: str = "memory://"
    partner_url: str = "http://127.0.0.1:9"
    email_url: str = ""
    backend: str = "rq"
    host: str = "127.0.0.1"
    port: int = 8000
    stream_port: int = 8001
    public_url: str = "http://127.0.0.1:8000"
    stream_url: str = "http://127.0.0.1:8001"
    secret_key: SecretStr = SecretStr("")

    # A claim and its end
    lease: float = Field(10, gt=0, le=3600)
    time_box: float = Field(60, gt=0)
    reaper_period: float = Field(1, gt=0)
    retry_base: float = Field(1, gt=0)
    retry_cap: float = Field(60, gt=0)
    max_attempts: int = Field(5, ge=1)
    max_crashes: int = Field(3, ge=1)
    result_ttl: float = Field(7 * 86400, gt=0)
    url_ttl: int = Field(900, gt=0)

    # Relay, stream
    relay_batch: int = Field(500, ge=1, le=5000)
    relay_poll: float = Field(0.025, gt=0)
    sse_heartbeat: float = Field(15, gt=0)
    sse_cap: int = Field(2500, ge=1)

    # Sizes and caps
    web_workers: int = Field(2, ge=1)
    web_threads: int = Field(8, ge=1)
    io_slots: int = Field(4, ge=1)
    cpu_slots: int = Field(2, ge=1)
    worker_nice: int = Field(10, ge=0, le=19)
    partner_concurrency: int = Field(8, ge=1)
    partner_timeout: float = Field(5, gt=0, le=30)

    # The autoscaler: floor and cap in replicas, which are worker processes of IO_SLOTS or CPU_SLOTS each
    autoscale: Literal["off", "print", "local", "docker"] = "off"
    autoscale_age: float = Field(5, gt=0)
    autoscale_cooldown: float = Field(60, ge=0)
    autoscale_step: float = Field(5, ge=0)
    autoscale_tick: float = Field(1, gt=0)
    io_floor: int = Field(1, ge=0)
    io_cap: int = Field(4, ge=0)
    cpu_floor: int = Field(1, ge=0)
    cpu_cap: int = Field(2, ge=0)

    log_format: str = "json"

    @property
    def broker(self) -> str:
        return self.broker_url or self.redis_url

    @property
    def email(self) -> str:
        return self.email_url or self.partner_url

    def secret(self) -> str:
        """The signing key; an empty one is refused, because a guessable signature is none."""
        value = self.secret_key.get_secret_value()
        if not value:
            raise RuntimeError(
                "SECRET_KEY is empty, so nothing can be signed. Set it to a long random string, e.g. "
                "SECRET_KEY=$(python3 -c 'import secrets; print(secrets.token_urlsafe(32))')."
            )
        return value


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings, read once. Tests call `settings.cache_clear()` after they changed the environment."""
    given = ((name, os.environ.get(name.upper())) for name in Settings.model_fields)
    return Settings.model_validate({name: value for name, value in given if value is not None})
