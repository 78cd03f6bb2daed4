"""`python3 -m borg_runner`: one run of the plan in BORG_RUN_PLAN.

Exit codes: 0 when completed, with warnings or without; 1 when failed; 2 when the plan cannot be used. The result is in
the termination message in each case.
"""

import io
import os
import sys

from borg_contract.codec import decode_plan
from borg_contract.plan import RunPlan
from borg_contract.pod import GRACE_SECONDS, PLAN_ENV
from borg_contract.reasons import Reason
from borg_contract.result import RunResult
from borg_contract.run import Phase
from borg_runner.environment import leave_no_core
from borg_runner.fault import explain_error
from borg_runner.identity import derive_identity
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.places import Places, derive_places
from borg_runner.run.report import Report
from borg_runner.run.run import run_plan

EXIT_COMPLETED = 0
EXIT_FAILED = 1
EXIT_UNUSABLE_PLAN = 2


def main() -> int:
    """Run, write the result, return the exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no locale may make a log line fatal
    leave_no_core()
    log = Log()
    interruption = Interruption(GRACE_SECONDS)
    interruption.listen()
    places = derive_places(os.environ)
    report = Report(places.termination_log, log)
    code, result = _run(log, interruption, places, report)
    report.write(result)
    return code


def _run(log: Log, interruption: Interruption, places: Places, report: Report) -> tuple[int, RunResult]:
    try:
        plan = _read_plan()
    except ValueError as error:
        text = f"The plan in {PLAN_ENV} cannot be used: {error}. Do operator and runner image have one version?"
        log.say(f"error: {text}")
        return EXIT_UNUSABLE_PLAN, RunResult(Phase.FAILED, reason=Reason.INVALID_PLAN.value, message=text)
    try:
        result = run_plan(
            plan,
            identity=derive_identity(os.environ),
            places=places,
            log=log,
            interruption=interruption,
            report=report,
            path=os.environ.get("PATH", ""),
        )
    except Exception as error:  # noqa: BLE001 - a fault of ours must leave a result too
        fault = explain_error(error)
        log.say(f"error: {fault.text}")
        result = RunResult(Phase.FAILED, report.done, fault.reason.value, log.conceal(fault.text))
    return (EXIT_FAILED if result.phase is Phase.FAILED else EXIT_COMPLETED), result


def _read_plan() -> RunPlan:
    text = os.environ.get(PLAN_ENV)
    if text is None:
        raise ValueError("it is not set")
    return decode_plan(text)


if __name__ == "__main__":
    sys.exit(main())
