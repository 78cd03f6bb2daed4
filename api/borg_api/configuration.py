"""The facade's settings, read once from the environment that the chart writes."""

from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "BORG_API_"
_PORTS = range(1, 65536)


class ConfigurationError(ValueError):
    """An environment value cannot be read; the message names it."""


@dataclass(frozen=True)
class Configuration:
    """`namespaces`: those it serves, empty for all. `peers`: `host:port` of all replicas, empty for a single one.

    `own_address`: the IP address of this replica among its peers. `certificate`, `key`: PEM files to speak TLS with;
    empty for plain HTTP. `key_secret`: (namespace, name) of the Secret for the facade's own key, which it needs to look
    into archives (`sessions`), and for the `page`.
    """

    default_namespace: str
    namespaces: tuple[str, ...] = ()
    port: int = 5000
    peers: str = ""
    own_address: str = ""
    certificate: str = ""
    key: str = ""
    key_secret: tuple[str, str] | None = None
    sessions: bool = False
    page: bool = False

    def serves(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Return the configuration in `environment`. Raises ConfigurationError."""

    def value(name: str, default: str = "") -> str:
        return environment.get(_PREFIX + name, default).strip()

    namespaces = tuple(item.strip() for item in value("NAMESPACES").split(",") if item.strip())
    default = value("DEFAULT_NAMESPACE") or (namespaces[0] if namespaces else "default")
    if namespaces and default not in namespaces:
        served = ", ".join(namespaces)
        raise ConfigurationError(f'{_PREFIX}DEFAULT_NAMESPACE is "{default}": it must be one of those served, {served}')
    port = value("PORT", "5000")
    if not port.isdecimal() or int(port) not in _PORTS:
        raise ConfigurationError(f'{_PREFIX}PORT is "{port}": it must be a number from 1 to 65535')
    certificate, key = value("TLS_CERTIFICATE"), value("TLS_KEY")
    if bool(certificate) != bool(key):
        raise ConfigurationError(f"{_PREFIX}TLS_CERTIFICATE and {_PREFIX}TLS_KEY: give both or neither")
    if value("PEERS") and not value("OWN_ADDRESS"):
        raise ConfigurationError(f"{_PREFIX}PEERS needs {_PREFIX}OWN_ADDRESS, the address of this replica among them")
    secret, sessions, page = _secret(value("KEY_SECRET")), _is_on(value("SESSIONS")), _is_on(value("PAGE"))
    if (sessions or page) and not secret:
        raise ConfigurationError(f"{_PREFIX}SESSIONS and {_PREFIX}PAGE need {_PREFIX}KEY_SECRET")
    return Configuration(
        default,
        namespaces,
        int(port),
        value("PEERS"),
        value("OWN_ADDRESS"),
        certificate,
        key,
        secret,
        sessions,
        page,
    )


def _secret(text: str) -> tuple[str, str] | None:
    namespace, slash, name = text.partition("/")
    if text and not (namespace and slash and name):
        raise ConfigurationError(f'{_PREFIX}KEY_SECRET is "{text}": it must be namespace/name')
    return (namespace, name) if text else None


def _is_on(text: str) -> bool:
    return text.lower() == "true"
