"""What the installer allows: asked of what is wanted, and of what already runs."""

from collections.abc import Iterator
from typing import Any

from borg_contract.pod import APP_NAME, CONTAINER_NAME, STREAM_CONTAINER_PREFIX
from borg_contract.reasons import Reason
from borg_core import labels
from borg_core.kinds.parts.volumes import VolumeSource
from borg_core.policies.problem import Problem, Severity
from borg_core.settings import Settings
from borg_core.workload.workload import Workload


def find_forbidden(workload: Workload, settings: Settings) -> Iterator[Problem]:
    """Yield what the workload asks for and must not have."""
    named = {"spec.job.image": workload.options.image}
    named["spec.verification.drill.app"] = workload.app.image if workload.app else None
    for field, image in named.items():
        if image and not settings.allows_image(image):
            message = (
                f'image "{image}" is not allowed in this cluster: remove {field}, or ask the installer of the '
                "operator to add it to its allowed images"
            )
            yield Problem(Reason.IMAGE_NOT_ALLOWED, message, Severity.FORBIDDEN)
    for stream, command in workload.streams.items():
        if not settings.allows_image(command.image):
            what = "target.stream" if command is workload.stream else f'dump of source "{stream}"'
            message = (
                f'image "{command.image}" ({what}) is not allowed in this cluster: ask the installer of the operator '
                "to add it to its allowed images"
            )
            yield Problem(Reason.IMAGE_NOT_ALLOWED, message, Severity.FORBIDDEN)
    if not settings.allow_host_path:
        for use in sorted(_host_paths(workload)):
            message = (
                f"hostPath is not allowed in this cluster ({use}): use a PersistentVolumeClaim, or ask the installer "
                "of the operator to allow hostPath"
            )
            yield Problem(Reason.HOST_PATH_NOT_ALLOWED, message, Severity.FORBIDDEN)


def is_forbidden(cron_job_spec: dict[str, Any], settings: Settings) -> bool:
    """Tell whether a CronJob, kept as it last was valid, runs what the installer has forbidden since.

    Of images, those that its owner asked for are judged: the runner's may be moved, and admission may name a mirror.
    """
    pod = cron_job_spec["jobTemplate"]["spec"]["template"]["spec"]
    if not settings.allow_host_path and any("hostPath" in volume for volume in pod.get("volumes", ())):
        return True
    asked = cron_job_spec["jobTemplate"].get("metadata", {}).get("annotations", {}).get(labels.IMAGES)
    if asked is not None:
        return not all(map(settings.allows_image, asked.split()))
    # An earlier version rendered it.
    containers = (*pod.get("initContainers", ()), *pod.get("containers", ()))
    images = (item.get("image", "") for item in containers if _is_own(item.get("name", "")))
    return any(not settings.allows_image(image) and not settings.is_runner(image) for image in images)


def _is_own(container: str) -> bool:
    """Tell whether the operator put the container there: what else was put there is not for it to judge."""
    return container in (CONTAINER_NAME, APP_NAME) or container.startswith(STREAM_CONTAINER_PREFIX)


def _host_paths(workload: Workload) -> set[str]:
    uses: list[tuple[str, VolumeSource | None]] = []
    for target in workload.targets:
        name, spec = target.repository.metadata.name, target.repository.spec
        uses += [
            (f'volume of BorgRepository "{name}"', spec.local.volume if spec.local else None),
            (f'cache of BorgRepository "{name}"', spec.cache),
            *((f'source "{source.name}"', source.volume) for source in target.sources),
        ]
    return {use for use, volume in uses if volume and volume.host_path is not None}
