"""The kinds this operator deals with, and where the API server serves them."""

from dataclasses import dataclass

from borg_core.kinds.base import GROUP, VERSION


@dataclass(frozen=True)
class ResourceType:
    """One kind: `group` is empty for the core group."""

    kind: str
    group: str
    version: str
    plural: str

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of one object, of a namespace's collection, or of the whole cluster's."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        parts = [root, *(("namespaces", namespace) if namespace else ()), self.plural]
        return "/".join([*parts, *(part for part in (name, subresource) if part)])


SCHEDULES = ResourceType("BorgSchedule", GROUP, VERSION, "borgschedules")
REPOSITORIES = ResourceType("BorgRepository", GROUP, VERSION, "borgrepositories")
SCRIPTS = ResourceType("BorgScript", GROUP, VERSION, "borgscripts")
RUNS = ResourceType("BorgRun", GROUP, VERSION, "borgruns")
CRON_JOBS = ResourceType("CronJob", "batch", "v1", "cronjobs")
JOBS = ResourceType("Job", "batch", "v1", "jobs")
PODS = ResourceType("Pod", "", "v1", "pods")
CLAIMS = ResourceType("PersistentVolumeClaim", "", "v1", "persistentvolumeclaims")
EVENTS = ResourceType("Event", "events.k8s.io", "v1", "events")

WATCHED = (SCHEDULES, REPOSITORIES, SCRIPTS, RUNS, CRON_JOBS, JOBS, CLAIMS)
BY_KIND = {resource.kind: resource for resource in (*WATCHED, PODS, EVENTS)}
