"""What the installer decides for all schedules of a cluster."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from borg_core.kinds.parts.job import JobOptions


@dataclass(frozen=True)
class PodDefaults:
    """What backup pods have where their schedule does not say otherwise; see `workload.defaults` for how both combine.

    `runtime_class_name` and `users_from_platform` are the installer's alone: schedules have no such field.
    """

    options: JobOptions = field(default_factory=JobOptions)
    runtime_class_name: str | None = None
    users_from_platform: bool = False
    """Whether pods name no uid, gid and fsGroup unless their schedule does: the platform gives them out."""


@dataclass(frozen=True)
class FacadePods:
    """By which labels the facade's pods are found, in its own namespace."""

    namespace: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Settings:
    """`allowed_images` are globs of images that schedules may name besides `runner_image`.

    A star stays between two slashes, so that a registry that is called like an image is none; `/**` at the end stands
    for all that is below.
    """

    runner_image: str
    image_pull_policy: str = "IfNotPresent"
    allow_host_path: bool = False
    allowed_images: tuple[str, ...] = ()
    cluster: str = ""
    """What tells this cluster from others that may share a repository; empty where it is not known."""
    pods: PodDefaults = field(default_factory=PodDefaults)
    facade: FacadePods | None = None
    """Whom the NetworkPolicies of sessions let in; None: sessions get no NetworkPolicy."""

    def allows_image(self, image: str) -> bool:
        return image == self.runner_image or any(_matches(image, glob) for glob in self.allowed_images)

    def is_runner(self, image: str) -> bool:
        """Tell whether it is the runner's image, of whatever version."""
        return _repository_of(image) == _repository_of(self.runner_image)


def _matches(image: str, glob: str) -> bool:
    found, wanted = image.split("/"), glob.split("/")
    if wanted[-1] == "**":
        return len(found) >= len(wanted) and all(map(fnmatchcase, found, wanted[:-1]))
    return len(found) == len(wanted) and all(map(fnmatchcase, found, wanted))


def _repository_of(image: str) -> str:
    """Return the image's name without tag and digest; a colon before a slash belongs to a port."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]
