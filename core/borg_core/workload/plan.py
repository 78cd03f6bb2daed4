"""The runner's plan of a workload: names resolved, secrets turned into the paths of mounted files."""

import json
from collections.abc import Iterable

from borg_contract.codec import encode
from borg_contract.plan import HookPlan, HooksPlan, RepositoryPlan, RunPlan, SecretFile, SourcePlan, SshPlan, StreamPlan
from borg_contract.pod import REPOSITORIES_DIR, SECRETS_DIR
from borg_contract.run import Operation
from borg_core.clock import posix_rule
from borg_core.kinds.parts.base import SecretKeyRef
from borg_core.kinds.parts.containers.stream import StreamCommand
from borg_core.kinds.parts.hooks import Hook, Hooks
from borg_core.kinds.parts.volumes import Source
from borg_core.kinds.repository import BorgRepository
from borg_core.verification.plan import derive_check_plan, describe_damage
from borg_core.workload.identity import derive_known_ids, derive_place_mark, is_doubted
from borg_core.workload.workload import STREAM_TARGET, Target, Workload


def render_plan(workload: Workload, *, cluster: str) -> RunPlan:
    """Return the plan; `cluster`: what archives say of where they were made. Raises KeyError for a missing script."""
    backup = workload.operation is Operation.BACKUP
    return RunPlan(
        namespace=workload.namespace,
        schedule=workload.schedule,
        operation=workload.operation,
        cluster=cluster,
        repositories=tuple(_repository(workload, target) for target in workload.targets),
        archive_name_template=workload.archive_name_template,
        hooks=_hooks(workload, workload.hooks) if backup else None,
        prune=workload.prune,
        local_time=posix_rule(workload.time_zone) if workload.prune else "",
        compact_threshold=workload.compact_threshold,
        dead_holders=workload.dead_holders,
        drill=workload.drill,
        restore=workload.restore,
        stream=_stream(STREAM_TARGET, workload.stream) if workload.stream else None,
        listing=workload.listing,
    )


def read_names(plan: str) -> list[str]:
    """Return the names of the repositories in a plan that was rendered before, by whatever version."""
    return [repository["name"] for repository in json.loads(plan)["repositories"]]


def tell_damage(plan: str, targets: Iterable[Target]) -> str:
    """Return a plan that was rendered before, by whatever version, with the damage that is known by now."""
    told = json.loads(plan)
    known = {target.repository.metadata.name: describe_damage(target.names) for target in targets}
    for repository in told["repositories"]:
        if damage := known.get(repository["name"], repository.get("damage")):
            repository["damage"] = damage
        else:
            repository.pop("damage", None)
    return encode(told)


def derive_location(repository: BorgRepository) -> str:
    """Return what borg is given in the pod: a path below /repositories, or the ssh:// URL."""
    if repository.spec.ssh:
        return repository.spec.ssh.url
    path = repository.spec.local.path.strip("/") if repository.spec.local else ""
    return "/".join(part for part in (REPOSITORIES_DIR, repository.metadata.name, path) if part)


def secret_file(ref: SecretKeyRef) -> SecretFile:
    """Return where the key of a Secret is mounted: one folder per Secret."""
    return SecretFile(path=f"{SECRETS_DIR}/{ref.name}/{ref.key}", name=ref.name, key=ref.key)


def _repository(workload: Workload, target: Target) -> RepositoryPlan:
    spec, backup = target.repository.spec, workload.operation is Operation.BACKUP
    passphrase = spec.encryption.passphrase_secret_ref
    return RepositoryPlan(
        name=target.repository.metadata.name,
        location=derive_location(target.repository),
        encryption=spec.encryption.mode,
        sources=tuple(map(_source, target.sources)),
        passphrase=secret_file(passphrase) if passphrase else None,
        ssh=SshPlan(secret_file(spec.ssh.private_key_secret_ref), secret_file(spec.ssh.known_hosts_secret_ref))
        if spec.ssh
        else None,
        remote_path=spec.ssh.remote_path if spec.ssh else "",
        initialize=spec.initialize,
        repository_ids=derive_known_ids(target.repository),
        place=derive_place_mark(target.repository),
        is_doubted=is_doubted(target.repository),
        unjudged_runs=target.unjudged_runs,
        exclude=spec.exclude if backup else (),  # long, perhaps, and of no use to others
        compression=spec.compression,
        upload_rate_limit_kib=spec.upload_rate_limit_ki_b,
        min_files=spec.min_files,
        hooks=_hooks(workload, target.hooks) if backup else None,
        archive_limit=spec.archive_limit,
        damage=describe_damage(target.names),
        check=derive_check_plan(target.repository, in_slices=workload.in_slices)
        if workload.operation is Operation.CHECK
        else None,
    )


def _source(source: Source) -> SourcePlan:
    if source.dump is None:
        return SourcePlan(source.name, source.paths)
    return SourcePlan(source.name, (source.dump.path,), _stream(source.name, source.dump))


def _stream(name: str, command: StreamCommand) -> StreamPlan:
    secrets = {variable: secret_file(ref) for variable, ref in command.secret_refs.items()}
    return StreamPlan(name, command.command[0], secrets)


def _hooks(workload: Workload, hooks: Hooks | None) -> HooksPlan | None:
    if not hooks or not hooks.given:
        return None
    return HooksPlan(
        pre_backup=_hook(workload, hooks.pre_backup) if hooks.pre_backup else None,
        post_backup=_hook(workload, hooks.post_backup) if hooks.post_backup else None,
    )


def _hook(workload: Workload, hook: Hook) -> HookPlan:
    script = workload.scripts[hook.script_ref.name].spec
    defaults = {parameter.name: parameter.default for parameter in script.parameters if parameter.default is not None}
    given = {parameter.name: parameter.value for parameter in hook.parameters if parameter.value is not None}
    secret = {
        parameter.name: secret_file(parameter.value_from.secret_key_ref)
        for parameter in hook.parameters
        if parameter.value_from
    }
    return HookPlan(
        script=hook.script_ref.name,
        content=script.content,
        timeout_seconds=script.timeout_seconds,
        parameters={name: value for name, value in (defaults | given).items() if name not in secret},
        secret_parameters=secret,
    )
