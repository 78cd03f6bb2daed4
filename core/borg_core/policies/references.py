"""Whether what a workload refers to exists in its namespace."""

from collections.abc import Collection, Iterator

from borg_contract.reasons import Reason
from borg_core.policies.problem import Problem, Severity
from borg_core.workload.bundle import Bundle
from borg_core.workload.mounts import derive_claims
from borg_core.workload.workload import Workload


def find_missing_repositories(bundle: Bundle) -> Iterator[Problem]:
    namespace = bundle.schedule.metadata.namespace
    for ref in bundle.schedule.spec.repository_refs:
        if ref.name not in bundle.repositories:
            message = (
                f'BorgRepository "{ref.name}" does not exist in namespace "{namespace}": create it, or correct '
                "spec.repositoryRefs"
            )
            yield Problem(Reason.REPOSITORY_NOT_FOUND, message, Severity.WAITING)


def find_claim_problems(workload: Workload, existing: Collection[str]) -> Iterator[Problem]:
    """Yield the claims that are missing, and those that would be backed up into themselves."""
    written, read = derive_claims(workload)
    for claim, use in {**read, **written}.items():
        if claim not in existing:
            message = (
                f'PersistentVolumeClaim "{claim}" ({use}) does not exist in namespace "{workload.namespace}": create it'
            )
            yield Problem(Reason.CLAIM_NOT_FOUND, message, Severity.WAITING)
    for claim in sorted(written.keys() & read.keys()):
        message = (
            f'PersistentVolumeClaim "{claim}" is both {read[claim]} and {written[claim]}: a repository cannot be '
            "backed up into itself; use a claim of its own for it"
        )
        yield Problem(Reason.SOURCE_CONFLICT, message)
