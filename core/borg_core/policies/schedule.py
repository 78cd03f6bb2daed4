"""All that can keep a schedule from running as written."""

from borg_core.policies.archive_names import find_archive_name_problems
from borg_core.policies.permissions import find_forbidden
from borg_core.policies.problem import Problem
from borg_core.policies.references import find_claim_problems, find_missing_repositories
from borg_core.policies.scripts import find_script_problems
from borg_core.policies.sources import find_source_problems
from borg_core.policies.times import find_time_problems
from borg_core.policies.titles import find_title_problems
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.workload import Workload


def derive_problems(bundle: Bundle, workload: Workload, settings: Settings) -> tuple[Problem, ...]:
    """Return all problems of a schedule and its workload, those first that are the cause of others."""
    spec = bundle.schedule.spec
    return (
        *find_time_problems(spec.schedule, spec.time_zone),
        *find_title_problems(bundle),
        *find_missing_repositories(bundle),
        *find_claim_problems(workload, bundle.claims),
        *find_script_problems(workload),
        *find_source_problems(workload),
        *find_archive_name_problems(bundle, prune=spec.prune.enabled),
        *find_forbidden(workload, settings),
    )


def derive_prune_problems(bundle: Bundle) -> tuple[Problem, ...]:
    """Return what keeps a Prune run by hand from a schedule that does not prune by itself."""
    return tuple(find_archive_name_problems(bundle, prune=True))
