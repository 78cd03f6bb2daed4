"""The runner's plan of a schedule: names resolved, secrets turned into the paths of mounted files."""

from borg_contract.operations import Operation
from borg_contract.plan import (
    HookPlan,
    HooksPlan,
    RepositoryPlan,
    RunPlan,
    SecretFile,
    SourcePlan,
    SshPlan,
)
from borg_contract.pod import REPOSITORIES_DIR, SECRETS_DIR
from borg_contract.retention import RetentionPlan
from borg_core.bundle import Bundle
from borg_core.kinds.base import SecretKeyRef
from borg_core.kinds.hooks import Hook, Hooks
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import Prune


def render_run_plan(bundle: Bundle, operation: Operation, dead_job_uids: tuple[str, ...] = ()) -> RunPlan:
    """Return the plan of one run of the schedule. Every reference must exist: `derive_problems` says whether it does.

    Raises KeyError for a script that is missing.
    """
    spec = bundle.schedule.spec
    return RunPlan(
        namespace=bundle.schedule.metadata.namespace,
        schedule=bundle.schedule.metadata.name,
        operation=operation,
        repositories=tuple(_repository(bundle, repository) for repository in bundle.targets),
        archive_name_template=spec.archive_name_template,
        hooks=_hooks(bundle, spec.hooks) if operation is Operation.BACKUP else None,
        prune=_retention(spec.prune) if spec.prune.enabled or operation is Operation.PRUNE else None,
        compact_threshold=spec.compact.threshold if spec.compact.enabled or operation is Operation.COMPACT else None,
        dead_job_uids=dead_job_uids,
    )


def _repository(bundle: Bundle, repository: BorgRepository) -> RepositoryPlan:
    spec = repository.spec
    name = repository.metadata.name
    passphrase = spec.encryption.passphrase_secret_ref
    return RepositoryPlan(
        name=name,
        location=derive_location(repository),
        encryption=spec.encryption.mode,
        sources=tuple(SourcePlan(source.name, source.paths) for source in bundle.sources_of(repository)),
        passphrase=secret_file(passphrase) if passphrase else None,
        ssh=SshPlan(secret_file(spec.ssh.private_key_secret_ref), secret_file(spec.ssh.known_hosts_secret_ref))
        if spec.ssh
        else None,
        remote_path=spec.ssh.remote_path if spec.ssh else "",
        initialize=spec.initialize,
        exclude=spec.exclude,
        compression=spec.compression,
        upload_rate_limit_kib=spec.upload_rate_limit_ki_b,
        hooks=_hooks(bundle, spec.hooks) if spec.hooks and bundle.schedule.spec.run_repository_hooks else None,
    )


def derive_location(repository: BorgRepository) -> str:
    """Return what borg is given in the pod: a path below /repositories, or the ssh:// URL."""
    if repository.spec.ssh:
        return repository.spec.ssh.url
    path = repository.spec.local.path.strip("/") if repository.spec.local else ""
    return "/".join(part for part in (REPOSITORIES_DIR, repository.metadata.name, path) if part)


def secret_file(ref: SecretKeyRef) -> SecretFile:
    """Return where the key of a Secret is mounted: one folder per Secret."""
    return SecretFile(path=f"{SECRETS_DIR}/{ref.name}/{ref.key}", name=ref.name, key=ref.key)


def _hooks(bundle: Bundle, hooks: Hooks) -> HooksPlan | None:
    if not hooks.given:
        return None
    return HooksPlan(
        pre_backup=_hook(bundle, hooks.pre_backup) if hooks.pre_backup else None,
        post_backup=_hook(bundle, hooks.post_backup) if hooks.post_backup else None,
    )


def _hook(bundle: Bundle, hook: Hook) -> HookPlan:
    script = bundle.scripts[hook.script_ref.name].spec
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


def _retention(prune: Prune) -> RetentionPlan:
    return RetentionPlan(
        keep_within=prune.keep_within,
        keep_hourly=prune.keep_hourly,
        keep_daily=prune.keep_daily,
        keep_weekly=prune.keep_weekly,
        keep_monthly=prune.keep_monthly,
        keep_quarterly=prune.keep_quarterly,
        keep_yearly=prune.keep_yearly,
    )
