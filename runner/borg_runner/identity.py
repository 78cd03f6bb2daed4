"""Whose pod this is: the Job that made it, under whose name borg's locks are taken."""

from collections.abc import Mapping
from dataclasses import dataclass

from borg_contract.pod import JOB_NAME_ENV, JOB_UID_ENV, lock_holder


@dataclass(frozen=True)
class Identity:
    """The pod's Job; empty values outside of a cluster."""

    job_name: str = ""
    job_uid: str = ""

    def host_id(self, namespace: str) -> str | None:
        """Return the BORG_HOST_ID of this pod, None outside of a cluster, where borg finds one of its own."""
        return lock_holder(namespace, self.job_name, self.job_uid) if self.job_uid else None


def derive_identity(environment: Mapping[str, str]) -> Identity:
    """Return the identity that the pod's environment gives."""
    return Identity(environment.get(JOB_NAME_ENV, ""), environment.get(JOB_UID_ENV, ""))
