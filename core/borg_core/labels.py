"""The labels that this project puts on what it makes, and the annotations it reads and writes.

Those by which a person speaks of a repository are the contract's, as the runner names them too.
"""

MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
SCHEDULE = "borgoperator.io/schedule"
REPOSITORY = "borgoperator.io/repository"
RESTORE = "borgoperator.io/restore"
SESSION = "borgoperator.io/session"
OPERATION = "borgoperator.io/operation"
TRIGGER = "borgoperator.io/trigger"

SUBJECTS = {"BorgSchedule": SCHEDULE, "BorgRepository": REPOSITORY, "BorgRestore": RESTORE, "BorgSession": SESSION}
"""For whom a Job is: the label whose value is the schedule's, the repository's, the restore's or the session's name."""

SESSION_UID = "borgoperator.io/session-uid"
"""Label of a session's pods: the BorgSession's uid, by which the holder of a lock is found."""

RESTORE_UID = "borgoperator.io/restore-uid"
"""Annotation on a claim: the BorgRestore that made it. On a BorgRestore: its own, once the operator has seen it. One
that bears another was put back by a restore of the cluster, and is not done again.
"""

RESTORING = "borgoperator.io/restoring"
"""Finalizer of a BorgRestore, as long as it may write to its claim or has stopped what uses it: others wait."""

IGNORE = "borgoperator.io/ignore"
"""Label or annotation on a claim, by a person, with the value `true`: it is meant that nobody backs it up."""

IDEMPOTENCY_KEY = "borgoperator.io/idempotency-key"
"""On a run that was asked for over REST: a digest of the key that the call came with."""

MANAGER = "borg-operator"
"""Value of `app.kubernetes.io/managed-by`, and the field manager of the operator's writes."""

OURS = f"{MANAGED_BY}={MANAGER}"
"""Label selector of what the operator or its CronJobs made."""

RUN_UID = "borgoperator.io/run-uid"
"""Annotation on a Job: the BorgRun that records it. If that is gone, somebody deleted it, and the Job goes as well."""

JOB_UID = "borgoperator.io/job-uid"
"""Annotation on a BorgRun that records a CronJob's Job: which, so that no other one of its name is taken for it."""

COPY_OF = "borgoperator.io/copy-of"
"""Annotation on a claim that was made for one pod: of which claim it is a copy."""

OWN_SNAPSHOTS = "borgoperator.io/own-snapshots"
"""Annotation on a Job that reads snapshots: `false` as it is made, and `true` once its own were asked for and no others
were there of which its pod's volumes could be made.
"""

TURN = "borgoperator.io/turn"
TURN_GIVEN = "given"
TURN_TAKEN_BACK = "taken-back"
"""Annotation on a Job, and its values: it had its turn, so whoever suspends it from then on is somebody else; or the
operator suspended it until its turn comes. See `native.job.ObservedJob.paused`.
"""

RENDERED = "borgoperator.io/rendered"
"""Annotation on a CronJob: a digest of what was asked for when it was written.

What is asked for no longer shows by that alone: in the spec it might as well be what the API server or an admission
policy added, and theirs is left alone.
"""

DEAD_HOLDER = "borgoperator.io/dead-holder"
"""Annotation on a BreakLock run that the operator made: whose locks may go, because that pod is proven dead."""

LISTING = "borgoperator.io/listing"
"""Annotation on a List run that the operator made: the how manieth of its repository it is, from 1."""

ATTEMPT = "borgoperator.io/attempt"
"""Annotation beside one of these two: the how manieth run to the same end it is, from 1. Each waits longer."""

OF_DEAD_JOB = "borgoperator.io/dead-job-uid"
"""The same of an earlier version, which knew no more than the Job: it proves nothing, and such a run breaks no lock."""

TIMES = "borgoperator.io/times"
"""Annotation on a CronJob's Jobs: time zone and schedule that the CronJob had when it made them."""

IMAGES = "borgoperator.io/images"
"""Annotation on a CronJob's Jobs: which images their owner asked for, with spaces between; not what admission made of
them, nor the image of the runner.
"""

APP_SECONDS = "borgoperator.io/app-seconds"
"""Annotation on a drill's pod: how long the container `app` has, once `borg` has ended."""

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
"""Annotation on a pod: of which container `kubectl logs` shows the log."""

INSTANTIATE = "cronjob.kubernetes.io/instantiate"
"""Annotation that `kubectl create job --from` puts on a Job, with the value `manual`."""

SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""The CronJob controller's annotation on its Jobs: the tick a Job stands for."""

JOB_NAME = "batch.kubernetes.io/job-name"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
"""The Job controller's labels on its pods."""
