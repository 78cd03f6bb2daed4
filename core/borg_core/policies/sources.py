"""Whether there is something to back up, and each source has a place of its own in the pod."""

from collections.abc import Iterator

from borg_contract.reasons import Reason
from borg_core.kinds.parts.volumes import VolumeSource
from borg_core.policies.problem import Problem
from borg_core.workload.workload import Workload


def find_source_problems(workload: Workload) -> Iterator[Problem]:
    volumes: dict[str, tuple[str, VolumeSource]] = {}
    for target in workload.targets:
        name = target.repository.metadata.name
        if not target.sources:
            message = (
                f'nothing to back up: neither the schedule nor BorgRepository "{name}" has sources; add spec.sources'
            )
            yield Problem(Reason.NO_SOURCES, message)
        for source in target.sources:
            first, volume = volumes.setdefault(source.name, (name, source.volume))
            if volume != source.volume:
                message = (
                    f'source "{source.name}" is another volume in BorgRepository "{name}" than in "{first}", and both '
                    f"would be mounted at /sources/{source.name}: give one of them another name"
                )
                yield Problem(Reason.SOURCE_CONFLICT, message)
