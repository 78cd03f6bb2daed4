"""A command in an image of its own, whose output is backed up, or which is given what was backed up."""

from typing import Annotated

from borg_contract.pod import STREAM_CONTAINER_LIMIT
from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model, SecretKeyRef
from borg_core.kinds.parts.containers.environment import Environment, Word
from borg_core.kinds.parts.job import Image

DUMP_NAME_LIMIT = 56
"""The container has the source's name and a word more."""


class StreamCommand(Model):
    """What runs in a container beside the runner's."""

    image: Annotated[
        Image,
        Schema(
            "The image that has the command, for example `postgres:17`; it needs no shell. Refused (Ready=False) "
            "unless whoever installed the operator allowed it.",
        ),
    ]
    command: Annotated[
        tuple[Word, ...],
        Schema(
            "The program and its words, run as they are: no shell reads them, and the image's own entrypoint does not "
            "run. As in a pod's spec, `$(NAME)` stands for a variable of `env`.",
            Rule(
                "self.size() == 0 || self[0].size() > 0",
                "the first word of a command is its program: it cannot be empty",
            ),
            minItems=1,
            maxItems=64,
        ),
    ]
    args: Annotated[tuple[Word, ...], Schema("More words for it.", maxItems=64)] = ()
    env: Annotated[Environment, Schema("Its environment, besides what the image sets.")] = ()

    @property
    def secret_refs(self) -> dict[str, SecretKeyRef]:
        """Which keys of Secrets it is given, by the variables' names."""
        return {item.name: item.value_from.secret_key_ref for item in self.env if item.value_from}


class Dump(StreamCommand):
    path: Annotated[
        str,
        Schema(
            "Which file of the source it is in the archive, for example `app.dump`: `sources/<name>/app.dump`.",
            Rule(
                r"!self.startsWith('/') && !self.endsWith('/') && !self.matches(r'(^|/)\.{0,2}(/|$)') "
                r"&& !self.matches(r'\p{Cc}')",
                "a dump's path is that of a file: no '/' at either end, no '.' or '..' part, no control characters, "
                "for example app.dump",
            ),
            minLength=1,
            maxLength=255,
        ),
    ]


DUMPS_ALONE = Rule(
    "self.all(source, has(source.dump)) || self.filter(source, has(source.dump)).size() <= 1",
    "beside volumes borg reads one dump only: give several dumps a BorgSchedule without volumes",
)
FEW_DUMPS = Rule(
    f"self.filter(source, has(source.dump)).size() <= {STREAM_CONTAINER_LIMIT}",
    f"each dump has a container, and a pod at most {STREAM_CONTAINER_LIMIT} of them: make another BorgSchedule",
)
NO_PATHS = Rule(
    "!has(self.dump) || !has(self.paths)", "paths are those of a volume: a dump has the one path in dump.path", ".paths"
)
SHORT_NAME = Rule(
    f"!has(self.dump) || self.name.size() <= {DUMP_NAME_LIMIT}",
    f"a dump's container has the source's name and a word more: give a name of at most {DUMP_NAME_LIMIT} characters",
    ".name",
)
