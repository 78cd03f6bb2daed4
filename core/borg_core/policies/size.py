"""Whether the plan fits into a pod."""

from collections.abc import Iterator
from typing import Any

from borg_contract.pod import PLAN_ENV, PLAN_LIMIT_BYTES
from borg_contract.reasons import Reason
from borg_core.policies.problem import Problem


def find_size_problems(job_template: dict[str, Any]) -> Iterator[Problem]:
    """Yield what is wrong with a rendered Job's plan: it is one environment value, of which Linux limits the size."""
    (container,) = job_template["spec"]["template"]["spec"]["containers"]
    values = (item["value"] for item in container["env"] if item["name"] == PLAN_ENV)
    for size in map(len, values):
        if size > PLAN_LIMIT_BYTES:
            message = (
                f"the run's plan is {size} bytes, more than the {PLAN_LIMIT_BYTES} that fit into a pod: shorten the "
                "scripts or spread the repositories over several schedules"
            )
            yield Problem(Reason.PLAN_TOO_LARGE, message)
