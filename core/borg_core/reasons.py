"""Condition types, their reasons and the reasons of Events: every CamelCase word that a user can meet, in one place."""

from enum import StrEnum


class ConditionType(StrEnum):
    """Ready and Stalled as KEP-1623 and kstatus read them; the others are ours."""

    READY = "Ready"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    LAST_RUN_SUCCEEDED = "LastRunSucceeded"
    SUCCEEDED = "Succeeded"


class Reason(StrEnum):
    SCHEDULED = "Scheduled"
    SUSPENDED = "Suspended"
    ACTIVE = "Active"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_ARCHIVE_NAME = "InvalidArchiveName"
    TITLE_TAKEN = "TitleTaken"
    ARCHIVE_NAMES_OVERLAP = "ArchiveNamesOverlap"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    SCRIPT_NOT_FOUND = "ScriptNotFound"
    CLAIM_NOT_FOUND = "ClaimNotFound"
    NO_SOURCES = "NoSources"
    SOURCE_CONFLICT = "SourceConflict"
    INVALID_PARAMETERS = "InvalidParameters"
    HOST_PATH_NOT_ALLOWED = "HostPathNotAllowed"
    IMAGE_NOT_ALLOWED = "ImageNotAllowed"
    PLAN_TOO_LARGE = "PlanTooLarge"
    CRON_JOB_NAME_TAKEN = "CronJobNameTaken"
    REFUSED_BY_API_SERVER = "RefusedByApiServer"

    SCHEDULE_NOT_FOUND = "ScheduleNotFound"
    WAITING_FOR_RUN = "WaitingForRun"
    WAITING_FOR_POD = "WaitingForPod"

    RUN_COMPLETED = "RunCompleted"
    RUN_COMPLETED_WITH_WARNINGS = "RunCompletedWithWarnings"
    RUN_FAILED = "RunFailed"
    RUN_CANCELLED = "RunCancelled"

    JOB_DELETED = "JobDeleted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    POD_LOST = "PodLost"
    RUNNER_CRASHED = "RunnerCrashed"
    RESULT_UNREADABLE = "ResultUnreadable"

    REPOSITORY_HEALTHY = "LastRunSucceeded"
