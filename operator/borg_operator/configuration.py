"""The operator's settings, read once from the environment that the chart writes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from borg_core.settings import FacadePods, PodDefaults, Settings
from borg_operator.loop.controller import Limits
from borg_operator.pod_defaults import parse_pod_defaults
from borg_operator.telemetry import health, server

_PREFIX = "BORG_OPERATOR_"
_PORTS = range(65536)
_WORD = re.compile("[A-Za-z0-9._-]{0,63}")
_WITHOUT_CLUSTER = (
    "a name that no other cluster has, such as production-1. Archives say it, as clusters with a repository in common "
    "would prune each other's otherwise"
)
"""In the chart's words, templates/_validation.tpl."""


class ConfigurationError(ValueError):
    """An environment value is missing or cannot be read; the message names it."""


@dataclass(frozen=True)
class Configuration:
    settings: Settings
    limits: Limits
    namespaces: tuple[str, ...] = ()
    """Those that are served; none: all."""
    log_format: str = "plain"
    health_port: int = health.PORT
    metrics_port: int = server.PORT
    claim_metrics: bool = False
    """Whether metrics have a series for each claim."""
    session_key: str = ""
    """The PEM file with the facade's public key; empty: there is no facade."""


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in `environment`. Raises ConfigurationError."""

    def value(name: str, default: str = "") -> str:
        return environment.get(_PREFIX + name, default).strip()

    def listed(name: str) -> tuple[str, ...]:
        return tuple(item.strip() for item in value(name).split(",") if item.strip())

    runner_image = value("RUNNER_IMAGE")
    if not runner_image:
        raise ConfigurationError(f"{_PREFIX}RUNNER_IMAGE is not set: the image of the backup pods")
    cluster, namespaces = _word("CLUSTER_NAME", value("CLUSTER_NAME")), listed("NAMESPACES")
    if namespaces and not cluster:  # with rights in those alone, it cannot ask which cluster it is in
        raise ConfigurationError(f"{_PREFIX}NAMESPACES needs {_PREFIX}CLUSTER_NAME: {_WITHOUT_CLUSTER}")
    return Configuration(
        settings=Settings(
            runner_image=runner_image,
            image_pull_policy=value("RUNNER_IMAGE_PULL_POLICY", "IfNotPresent"),
            allow_host_path=_boolean("ALLOW_HOST_PATH", value("ALLOW_HOST_PATH", "false")),
            allowed_images=listed("ALLOWED_IMAGES"),
            cluster=cluster,
            pods=_pods(
                value("BACKUP_PODS"),
                users_from_platform=_boolean("USERS_FROM_PLATFORM", value("USERS_FROM_PLATFORM", "false")),
            ),
            facade=_facade(value("FACADE_PODS")),
        ),
        limits=Limits(resync_seconds=_seconds("RESYNC_SECONDS", value("RESYNC_SECONDS", "300"))),
        namespaces=namespaces,
        log_format=value("LOG_FORMAT", "plain"),
        health_port=_port("HEALTH_PORT", value("HEALTH_PORT", str(health.PORT))),
        metrics_port=_port("METRICS_PORT", value("METRICS_PORT", str(server.PORT))),
        claim_metrics=_boolean("CLAIM_METRICS", value("CLAIM_METRICS", "false")),
        session_key=value("SESSION_KEY"),
    )


def _pods(text: str, *, users_from_platform: bool) -> PodDefaults:
    try:
        return parse_pod_defaults(text, users_from_platform=users_from_platform)
    except ValueError as error:
        raise ConfigurationError(f"{_PREFIX}BACKUP_PODS, the chart's backupPods, cannot be used: {error}") from error


def _facade(text: str) -> FacadePods | None:
    """Return whom sessions let in, told as `namespace key=value,key=value`."""
    if not text:
        return None
    namespace, _, selector = text.partition(" ")
    pairs = [part.partition("=") for part in selector.split(",")]
    if not namespace or any(not (key and equals) for key, equals, _ in pairs):
        raise ConfigurationError(f'{_PREFIX}FACADE_PODS is "{text}": it must be a namespace and labels, "n a=b,c=d"')
    return FacadePods(namespace, {key: found for key, _, found in pairs})


def _word(name: str, text: str) -> str:
    if not _WORD.fullmatch(text):
        raise ConfigurationError(f'{_PREFIX}{name} is "{text}": it must be up to 63 letters, digits, ".", "_" and "-"')
    return text


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ConfigurationError(f'{_PREFIX}{name} is "{text}": it must be true or false')
    return text.lower() == "true"


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) not in _PORTS:
        raise ConfigurationError(f'{_PREFIX}{name} is "{text}": it must be a number from 0 to 65535; 0: any free port')
    return int(text)


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if seconds < 1:
        raise ConfigurationError(f'{_PREFIX}{name} is "{text}": it must be a number of seconds, 1 or more')
    return seconds
