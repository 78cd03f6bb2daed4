"""The labels that this project puts on what it makes, and the annotations it reads and writes."""

MANAGED_BY = "app.kubernetes.io/managed-by"
NAME = "app.kubernetes.io/name"
SCHEDULE = "borgoperator.io/schedule"
OPERATION = "borgoperator.io/operation"
TRIGGER = "borgoperator.io/trigger"

IDEMPOTENCY_KEY = "borgoperator.io/idempotency-key"
"""On a run that was asked for over REST: a digest of the key that the call came with."""

MANAGER = "borg-operator"
"""Value of `app.kubernetes.io/managed-by`, and the field manager of every server-side apply."""

DEAD_JOB_UID = "borgoperator.io/dead-job-uid"
"""Annotation on a BreakLock run that the operator made: the Job whose locks may go, because no pod of it is left."""

SCHEDULED_TIMESTAMP = "batch.kubernetes.io/cronjob-scheduled-timestamp"
"""The CronJob controller's annotation on its Jobs: the tick a Job stands for."""

JOB_NAME = "batch.kubernetes.io/job-name"
CONTROLLER_UID = "batch.kubernetes.io/controller-uid"
"""The Job controller's labels on its pods."""
