"""Who holds a lock of borg's: one entry of it, as borg writes it down."""

from dataclasses import dataclass

from borg_contract.pod import parse_lock_holder, parse_session_holder


@dataclass(frozen=True)
class Holder:
    """One entry of a lock: `host` is borg's host id, for pods of ours `borg_contract.pod`."""

    host: str
    pid: int
    thread: int
    exclusive: bool

    @property
    def entry_name(self) -> str:
        """The name of the file that borg writes for an exclusive lock."""
        return f"{self.host}.{self.pid}-{self.thread:x}"

    @property
    def is_ours(self) -> bool:
        """Whether it is a pod of an operator, which removes the lock of one that died."""
        return parse_lock_holder(self.host) is not None or parse_session_holder(self.host) is not None

    def describe(self) -> str:
        """Return who it is, for people."""
        if (session := parse_session_holder(self.host)) is not None:
            return f'session "{session.name}" in namespace "{session.namespace}"'
        parsed = parse_lock_holder(self.host)
        if parsed is None:
            return f'process {self.pid} on host "{self.host}"'
        return f'run "{parsed.job_name}" in namespace "{parsed.namespace}"'


def parse_entry_name(name: str) -> Holder | None:
    """Return the holder that the name of an exclusive lock's file tells, None when borg did not write it."""
    try:
        rest, thread = name.rsplit("-", 1)
        host, pid = rest.rsplit(".", 1)
        return Holder(host, int(pid), int(thread, 16), exclusive=True)
    except ValueError:
        return None
