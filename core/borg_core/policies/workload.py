"""Whether a workload can run: its claims, sources and scripts, and the size of its plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from borg_contract.pod import PLAN_ENV, PLAN_LIMIT_BYTES, STREAM_CONTAINER_LIMIT
from borg_contract.reasons import Reason
from borg_contract.run import Operation
from borg_core.kinds.parts.hooks import Hook
from borg_core.kinds.parts.job import FileAccess
from borg_core.kinds.parts.volumes import Copy, Source
from borg_core.kinds.script import BorgScript, ParameterType
from borg_core.native.claim import ObservedClaim
from borg_core.policies.problem import Problem, Severity
from borg_core.workload.mounts import derive_claims
from borg_core.workload.workload import Workload


def find_claim_problems(workload: Workload, claims: Mapping[str, ObservedClaim]) -> Iterator[Problem]:
    """Yield the claims that are missing or have no files, and those that would be backed up into themselves.

    `claims`: those that exist, by name.
    """
    written, read = derive_claims(workload)
    for claim, use in {**read, **written}.items():
        found = claims.get(claim)
        if found is None:
            message = (
                f'PersistentVolumeClaim "{claim}" ({use}) does not exist in namespace "{workload.namespace}": create it'
            )
            yield Problem(Reason.CLAIM_NOT_FOUND, message, Severity.WAITING)
        elif found.defect:
            message = f'PersistentVolumeClaim "{claim}" ({use}) {found.defect}: no pod can use it, name another claim'
            yield Problem(Reason.CLAIM_UNUSABLE, message, Severity.WAITING)
    for claim in sorted(written.keys() & read.keys()):
        message = (
            f'PersistentVolumeClaim "{claim}" is both {read[claim]} and {written[claim]}: a repository cannot be '
            "backed up into itself; use a claim of its own for it"
        )
        yield Problem(Reason.SOURCE_CONFLICT, message)


def find_source_problems(workload: Workload) -> Iterator[Problem]:
    """Yield a problem where there is nothing to back up, or two sources would have one place in the pod."""
    first_of: dict[str, tuple[str, Source]] = {}
    for target in workload.targets:
        name = target.repository.metadata.name
        if not target.sources and not target.selects:
            message = (
                f'nothing to back up: neither the schedule nor BorgRepository "{name}" has sources; add spec.sources'
            )
            yield Problem(Reason.NO_SOURCES, message)
        for source in target.sources:
            first, known = first_of.setdefault(source.name, (name, source))
            if (known.volume, known.dump, _copy(known)) != (source.volume, source.dump, _copy(source)):
                yield Problem(Reason.SOURCE_CONFLICT, _describe_conflict(source, known, name, first))
    if len(workload.streams) > STREAM_CONTAINER_LIMIT:
        message = (
            f"{len(workload.streams)} dumps in all repositories together, and a pod has at most "
            f"{STREAM_CONTAINER_LIMIT} containers for them: spread the repositories over several schedules"
        )
        yield Problem(Reason.SOURCE_CONFLICT, message)


def _describe_conflict(source: Source, known: Source, name: str, first: str) -> str:
    if (known.volume, known.dump) == (source.volume, source.dump):
        return (
            f'source "{source.name}" has copy: {_copy(source)} in BorgRepository "{name}" and copy: {_copy(known)} in '
            f'"{first}", and there is one volume at /sources/{source.name}: say the same in both'
        )
    what = "dump" if source.dump else "volume"
    return (
        f'source "{source.name}" is another {what} in BorgRepository "{name}" than in "{first}", and both would be at '
        f"/sources/{source.name}: give one of them another name"
    )


def _copy(source: Source) -> str:
    return (source.copy_ or Copy.NONE).value


def find_copy_problems(workload: Workload, *, users_from_platform: bool) -> Iterator[Problem]:
    """Yield why claims that are to be copied cannot be, as far as that shows before a run."""
    for name in sorted({source.claim_name or "" for source in workload.copied}):
        claim = workload.claims.get(name)
        if claim and not claim.driver and claim.phase == "Pending":
            # Kubernetes writes down who makes the volume only when a pod wants it, if the class waits for the first.
            message = (
                f'PersistentVolumeClaim "{name}" is not bound to a volume yet, so there is nothing to copy: a pod that '
                f"uses it binds it, see kubectl -n {workload.namespace} describe pvc {name}"
            )
            yield Problem(Reason.COPY_NOT_POSSIBLE, message, Severity.WAITING)
        elif claim and not claim.driver:
            message = (
                f'PersistentVolumeClaim "{name}" has no volume that a CSI driver made (annotation volume.kubernetes.io/'
                "storage-provisioner), so there can be no copy of it: leave copy out, or use a storage class that can"
            )
            yield Problem(Reason.COPY_NOT_POSSIBLE, message, Severity.WAITING)
    options, (written, _) = workload.options, derive_claims(workload)
    named = options.file_access is FileAccess.READ_ALL or options.fs_group is not None or users_from_platform
    if workload.copied and written and not named:
        claim_name, use = min(written.items())
        message = (
            f'source "{workload.copied[0].name}" is copied, and claim "{claim_name}" ({use}) is written by the same '
            "pod: Kubernetes would give the copied files to the group that writes there before they are archived. Set "
            "spec.job.fileAccess: ReadAll, or spec.job.fsGroup if archives may show that group"
        )
        yield Problem(Reason.COPY_NOT_POSSIBLE, message)


def find_script_problems(workload: Workload) -> Iterator[Problem]:
    """Yield the scripts around a backup that are missing, or get other parameters than they take."""
    for hook in workload.all_hooks:
        script = workload.scripts.get(hook.script_ref.name)
        if script is None:
            message = (
                f'BorgScript "{hook.script_ref.name}" does not exist in namespace "{workload.namespace}": create it'
            )
            yield Problem(Reason.SCRIPT_NOT_FOUND, message, Severity.WAITING)
        else:
            for message in find_parameter_problems(hook, script):
                yield Problem(Reason.INVALID_PARAMETERS, message)


def find_parameter_problems(hook: Hook, script: BorgScript) -> Iterator[str]:
    """Yield a sentence for each parameter of `hook` that `script` does not take, lacks, or takes another way."""
    name = script.metadata.name
    declared = {parameter.name: parameter for parameter in script.spec.parameters}
    given = {parameter.name for parameter in hook.parameters}
    for parameter in hook.parameters:
        if parameter.name not in declared:
            known = ", ".join(declared) or "none"
            yield f'BorgScript "{name}" has no parameter "{parameter.name}" (it takes: {known})'
        elif declared[parameter.name].type is ParameterType.PASSWORD and parameter.value_from is None:
            yield (
                f'parameter "{parameter.name}" of BorgScript "{name}" is a Password: give it by '
                "valueFrom.secretKeyRef, not as plain text"
            )
    for parameter_name, declaration in declared.items():
        if declaration.required and declaration.default is None and parameter_name not in given:
            yield f'BorgScript "{name}" needs parameter "{parameter_name}"'


def find_size_problems(operation: Operation, job_template: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a rendered Job's plan: it is one environment value, of which Linux limits the size."""
    pod = job_template["spec"]["template"]["spec"]
    containers = (*pod.get("initContainers", ()), *pod["containers"])
    values = (item["value"] for found in containers for item in found.get("env", ()) if item["name"] == PLAN_ENV)
    for size in map(len, values):
        if size > PLAN_LIMIT_BYTES:
            message = (
                f"the run's plan is {size} bytes, more than the {PLAN_LIMIT_BYTES} that fit into a pod: "
                f"{_say_how_to_shorten(operation)}"
            )
            yield Problem(Reason.PLAN_TOO_LARGE, message)


def _say_how_to_shorten(operation: Operation) -> str:
    if operation.needs_restore:
        return "make a BorgRestore with fewer paths and fewer patterns in exclude: a folder stands for all in it"
    if operation is Operation.DRILL:
        return "give drill.app.paths folders in place of files, or spread the schedules over several repositories"
    return "shorten the scripts or exclude, or spread the repositories over several schedules"
