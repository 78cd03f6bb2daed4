"""Why a schedule cannot run as written: everything the API server could not refuse, said so that it can be mended."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from borg_contract import archive_name
from borg_contract.codec import encode
from borg_contract.operations import Operation
from borg_contract.pod import PLAN_LIMIT_BYTES
from borg_contract.reasons import Reason
from borg_core.bundle import Bundle
from borg_core.clock import CronError, CronSchedule
from borg_core.kinds.hooks import Hook
from borg_core.kinds.repository import VolumeSource
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.script import BorgScript, ParameterType
from borg_core.settings import Settings
from borg_core.workload.run_plan import render_run_plan
from borg_core.workload.volumes import derive_claims


class Severity(Enum):
    """What a problem means for a CronJob that already runs."""

    WAITING = "something is missing and may yet appear; the CronJob stays as it last was valid"
    INVALID = "the spec must be changed; the CronJob stays as it last was valid"
    FORBIDDEN = "the installer does not allow it; the CronJob is suspended"


@dataclass(frozen=True)
class Problem:
    """`message` is a sentence that names what is wrong and what to do."""

    reason: Reason
    message: str
    severity: Severity = Severity.INVALID


def derive_problems(bundle: Bundle, settings: Settings) -> tuple[Problem, ...]:
    """Return all problems of a schedule, those first that are the cause of others; none when it can run."""
    found = [
        *_times(bundle),
        *_title(bundle),
        *_missing_repositories(bundle),
        *_missing_claims(bundle),
        *_scripts(bundle),
        *_sources(bundle),
        *_archive_names(bundle),
        *_not_allowed(bundle, settings),
    ]
    # The plan can only be rendered, and so be measured, when everything is there.
    return tuple(found) or tuple(_plan_size(bundle))


def derive_prune_problems(bundle: Bundle) -> tuple[Problem, ...]:
    """Return what keeps a Prune run by hand from a schedule that does not prune by itself."""
    spec = bundle.schedule.spec
    pruning = spec.model_copy(update={"prune": spec.prune.model_copy(update={"enabled": True})})
    schedule = bundle.schedule.model_copy(update={"spec": pruning})
    return tuple(_archive_names(replace(bundle, schedule=schedule)))


def _times(bundle: Bundle) -> Iterator[Problem]:
    spec = bundle.schedule.spec
    try:
        CronSchedule.parse(spec.schedule, spec.time_zone)
    except CronError as error:
        yield Problem(Reason.INVALID_SCHEDULE, str(error))


def _title(bundle: Bundle) -> Iterator[Problem]:
    """Yield whose title it is, if somebody else's: of several, the oldest schedule keeps it."""
    own = bundle.schedule.metadata
    for other in bundle.namesakes:
        if (other.metadata.creation_timestamp, other.metadata.name) < (own.creation_timestamp, own.name):
            message = f'BorgSchedule "{other.metadata.name}" is called "{other.title}" already: choose another title'
            yield Problem(Reason.TITLE_TAKEN, message)
            return


def _missing_repositories(bundle: Bundle) -> Iterator[Problem]:
    namespace = bundle.schedule.metadata.namespace
    for ref in bundle.schedule.spec.repository_refs:
        if ref.name not in bundle.repositories:
            message = (
                f'BorgRepository "{ref.name}" does not exist in namespace "{namespace}": create it, or correct '
                "spec.repositoryRefs"
            )
            yield Problem(Reason.REPOSITORY_NOT_FOUND, message, Severity.WAITING)


def _missing_claims(bundle: Bundle) -> Iterator[Problem]:
    namespace = bundle.schedule.metadata.namespace
    written, read = derive_claims(bundle)
    for claim, use in {**read, **written}.items():
        if claim not in bundle.claims:
            message = f'PersistentVolumeClaim "{claim}" ({use}) does not exist in namespace "{namespace}": create it'
            yield Problem(Reason.CLAIM_NOT_FOUND, message, Severity.WAITING)
    for claim in sorted(written.keys() & read.keys()):
        message = (
            f'PersistentVolumeClaim "{claim}" is both {read[claim]} and {written[claim]}: a repository cannot be '
            "backed up into itself; use a claim of its own for it"
        )
        yield Problem(Reason.SOURCE_CONFLICT, message)


def _scripts(bundle: Bundle) -> Iterator[Problem]:
    namespace = bundle.schedule.metadata.namespace
    for hook in bundle.hooks:
        script = bundle.scripts.get(hook.script_ref.name)
        if script is None:
            message = f'BorgScript "{hook.script_ref.name}" does not exist in namespace "{namespace}": create it'
            yield Problem(Reason.SCRIPT_NOT_FOUND, message, Severity.WAITING)
        else:
            for message in derive_parameter_problems(hook, script):
                yield Problem(Reason.INVALID_PARAMETERS, message)


def derive_parameter_problems(hook: Hook, script: BorgScript) -> Iterator[str]:
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


def _sources(bundle: Bundle) -> Iterator[Problem]:
    volumes: dict[str, tuple[str, VolumeSource]] = {}
    for repository in bundle.targets:
        name = repository.metadata.name
        sources = bundle.sources_of(repository)
        if not sources:
            message = (
                f'nothing to back up: neither the schedule nor BorgRepository "{name}" has sources; add spec.sources'
            )
            yield Problem(Reason.NO_SOURCES, message)
        for source in sources:
            first, volume = volumes.setdefault(source.name, (name, source.volume))
            if volume != source.volume:
                message = (
                    f'source "{source.name}" is another volume in BorgRepository "{name}" than in "{first}", and both '
                    f"would be mounted at /sources/{source.name}: give one of them another name"
                )
                yield Problem(Reason.SOURCE_CONFLICT, message)


def _archive_names(bundle: Bundle) -> Iterator[Problem]:
    spec = bundle.schedule.spec
    template = spec.archive_name_template
    found = archive_name.find_template_problems(template, prune=spec.prune.enabled)
    for message in found:
        yield Problem(Reason.INVALID_ARCHIVE_NAME, f'archiveNameTemplate "{template}" {message}')
    if not found:
        yield from _overlapping_names(bundle)


def _overlapping_names(bundle: Bundle) -> Iterator[Problem]:
    """Yield the neighbours whose archives one of the two would prune as its own."""
    schedule = bundle.schedule
    for other in bundle.neighbours:
        # With one template for both, names of two schedules always differ: the job's name is in them.
        if other.spec.archive_name_template == schedule.spec.archive_name_template:
            continue
        if not (schedule.spec.prune.enabled or other.spec.prune.enabled):
            continue
        shared = {ref.name for ref in schedule.spec.repository_refs} & {ref.name for ref in other.spec.repository_refs}
        for name in sorted(shared):
            if archive_name.overlaps(_name_pattern(schedule, name), _name_pattern(other, name)):
                message = (
                    f'its archives would have names like those of BorgSchedule "{other.metadata.name}" in '
                    f"BorgRepository \"{name}\", and prune would take the one's for the other's: change "
                    "archiveNameTemplate of one of them"
                )
                yield Problem(Reason.ARCHIVE_NAMES_OVERLAP, message)


def _name_pattern(schedule: BorgSchedule, repository: str) -> str:
    template = schedule.spec.archive_name_template
    if archive_name.find_template_problems(template):
        return ""  # it writes no archives
    return archive_name.derive_prune_glob(template, schedule=schedule.metadata.name, repository=repository)


def _not_allowed(bundle: Bundle, settings: Settings) -> Iterator[Problem]:
    image = bundle.schedule.spec.job.image
    if image and not settings.allows_image(image):
        message = (
            f'image "{image}" is not allowed in this cluster: remove spec.job.image, or ask the installer of the '
            "operator to add it to its allowed images"
        )
        yield Problem(Reason.IMAGE_NOT_ALLOWED, message, Severity.FORBIDDEN)
    if not settings.allow_host_path:
        for use in sorted(_host_paths(bundle)):
            message = (
                f"hostPath is not allowed in this cluster ({use}): use a PersistentVolumeClaim, or ask the installer "
                "of the operator to allow hostPath"
            )
            yield Problem(Reason.HOST_PATH_NOT_ALLOWED, message, Severity.FORBIDDEN)


def _host_paths(bundle: Bundle) -> set[str]:
    uses: list[tuple[str, VolumeSource | None]] = []
    for repository in bundle.targets:
        name = repository.metadata.name
        uses += [
            (f'volume of BorgRepository "{name}"', repository.spec.local.volume if repository.spec.local else None),
            (f'cache of BorgRepository "{name}"', repository.spec.cache),
            *((f'source "{source.name}"', source.volume) for source in bundle.sources_of(repository)),
        ]
    return {use for use, volume in uses if volume and volume.host_path is not None}


def _plan_size(bundle: Bundle) -> Iterator[Problem]:
    size = len(encode(render_run_plan(bundle, Operation.BACKUP)))
    if size > PLAN_LIMIT_BYTES:
        message = (
            f"the run's plan is {size} bytes, more than the {PLAN_LIMIT_BYTES} that fit into a pod: shorten the "
            "scripts or spread the repositories over several schedules"
        )
        yield Problem(Reason.PLAN_TOO_LARGE, message)
