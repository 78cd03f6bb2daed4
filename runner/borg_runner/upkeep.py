"""Prune, compact, check, break the lock, count: the work on a repository that writes no archive."""

from dataclasses import replace

from borg_contract.archive_name import derive_prune_glob
from borg_contract.reasons import Reason
from borg_contract.result import CompactResult, PruneResult, RepositoryTotals
from borg_contract.retention import RetentionPlan
from borg_runner.borg_message import describe_size
from borg_runner.break_lock import make_break_lock_arguments
from borg_runner.check import make_check_arguments
from borg_runner.compact import make_compact_arguments, parse_freed_bytes
from borg_runner.create import ArchiveFigures
from borg_runner.prune import PruneFigures, make_prune_arguments, parse_prune_notes
from borg_runner.reasons import Fault
from borg_runner.totals import (
    make_info_arguments,
    make_list_arguments,
    parse_info_output,
    parse_list_output,
)
from borg_runner.work import StepError, Work


def prune(work: Work, retention: RetentionPlan) -> PruneFigures:
    """Delete the schedule's own archives that no rule keeps. Raises StepError, LockedError."""
    glob = derive_prune_glob(
        work.plan.archive_name_template, schedule=work.plan.schedule, repository=work.repository.name
    )
    work.log.say(f"pruning archives named {glob}")
    outcome = work.run_borg(
        lambda lock_wait: make_prune_arguments(work.repository, retention, glob=glob, lock_wait=lock_wait),
        on_note=work.say_note,
    )
    figures = parse_prune_notes(outcome.notes)
    work.result = replace(work.result, prune=PruneResult(figures.kept, figures.deleted))
    return figures


def compact(work: Work, threshold: int) -> None:
    """Give space back. Raises StepError, LockedError."""
    work.log.say("compacting")
    outcome = work.run_borg(
        lambda lock_wait: make_compact_arguments(work.repository, threshold=threshold, lock_wait=lock_wait)
    )
    freed = parse_freed_bytes(outcome.notes)
    work.log.say(f"freed {describe_size(freed)}")
    work.result = replace(work.result, compact=CompactResult(freed))


def check(work: Work) -> None:
    """Check the repository. Raises StepError when it is damaged, for which borg's exit code is only a warning."""
    outcome = work.run_borg(
        lambda lock_wait: make_check_arguments(work.repository, lock_wait=lock_wait), on_note=work.say_note
    )
    if outcome.warned:
        found = [message.text for message in outcome.errors] or list(outcome.warnings)
        first = f" The first: {found[0]}." if found else ""
        text = (
            f"borg check found damage.{first} The pod's log has all of it. Copy the repository, then repair it by "
            "hand with `borg check --repair`; back up again afterwards."
        )
        raise StepError(Fault(Reason.CHECK_FAILED, text))


def break_lock(work: Work) -> None:
    """Break what is proven dead; everything when a person asked, which is a plan that names no dead Job.

    Whoever is not proven dead keeps the lock, which is no failure: `locked_by` names them. Over SSH only the cache's
    locks can be read; the server's borg removes its own dead ones. Raises StepError when borg fails.
    """
    if not work.plan.dead_job_uids:
        for holder in work.locks.holders():
            work.log.say(f"breaking the lock of {holder.describe()}")
        work.check_outcome(work.borg.run(make_break_lock_arguments(work.repository)))
        return
    work.locks.release_dead()
    if holders := work.locks.holders():
        work.log.say(f"{holders[0].describe()} holds the lock and is not proven dead: left alone")
        work.result = replace(work.result, locked_by=holders[0].host)


def find_totals(work: Work, pruned: PruneFigures | None, written: ArchiveFigures | None) -> None:
    """Find archives and sizes of the whole repository; borg is asked only for what earlier steps did not tell."""
    archives = pruned.remaining if pruned else None
    if archives is None:
        listed = work.ask_borg(make_list_arguments)
        archives = parse_list_output(listed) if listed is not None else None
    if written is not None and not (pruned and pruned.deleted):
        sizes = (written.repository_original_size, written.repository_deduplicated_size)
    elif (info := work.ask_borg(make_info_arguments)) is not None:
        sizes = parse_info_output(info)
    else:
        return
    if archives is not None:
        work.result = replace(work.result, totals=RepositoryTotals(archives, *sizes))
