"""Whose pod this is: the Job that made it, and its node, under whose names borg's locks are taken."""

from collections.abc import Mapping
from dataclasses import dataclass

from borg_contract.ownership import name_run
from borg_contract.pod import JOB_NAME_ENV, JOB_UID_ENV, NODE_ENV, digest_node, lock_holder


@dataclass(frozen=True)
class Identity:
    """The pod's Job; empty values outside of a cluster."""

    job_name: str = ""
    job_uid: str = ""
    node: str = ""

    @property
    def run(self) -> str:
        """How archives tell which run made them."""
        return name_run(self.job_name, self.job_uid)

    def host_id(self, namespace: str, cluster: str) -> str | None:
        """Return the BORG_HOST_ID of this pod, None outside of a cluster, where borg finds one of its own."""
        if not self.job_uid:
            return None
        return lock_holder(namespace, self.job_name, self.job_uid, digest_node(cluster, self.node))


def derive_identity(environment: Mapping[str, str]) -> Identity:
    """Return the identity that the pod's environment gives."""
    return Identity(*(environment.get(name, "") for name in (JOB_NAME_ENV, JOB_UID_ENV, NODE_ENV)))
