"""Parts of a BorgRestore: which archive, what of it, into which claim."""

from typing import Annotated

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import Model, NameRef, Time
from borg_core.kinds.parts.containers.stream import StreamCommand
from borg_core.kinds.parts.timing import AGE


class Latest(Model):
    schedule_ref: Annotated[
        NameRef | None,
        Schema(
            "Whose archives: those that say of themselves that this BorgSchedule made them. It need not exist any "
            "more. Default: all of the repository.",
            below={"name": Schema("The name of a BorgSchedule in the same namespace.", maxLength=63)},
        ),
    ] = None
    before: Annotated[
        Time | None,
        Schema(
            "The newest that was begun before this time, for example `2026-11-25T00:00:00Z`.",
        ),
    ] = None
    max_age: Annotated[
        str | None,
        Schema(
            "How old it may be, for example `48h` or `7d`: an older one is an error (ArchiveNotFound), not a surprise. "
            "Default: as old as it is.",
            AGE,
            maxLength=10,
        ),
    ] = None


ArchivePaths = Annotated[
    tuple[
        Annotated[
            str,
            Schema(
                "A file or folder, relative to the source's root.",
                Rule(
                    r"!self.startsWith('/') && !self.matches(r'(^|/)\.\.(/|$)') && !self.matches(r'\x00')",
                    "a path is relative to the source's root: no leading '/', no '..' part, for example etc/app.conf",
                ),
                minLength=1,
                maxLength=1024,
            ),
        ],
        ...,
    ],
    Schema(
        'What to restore, below the source, for example `["etc/app.conf", "uploads"]`; default: all of it. Each has '
        "to be in the archive.",
        maxItems=256,
    ),
]

RestoreExclude = Annotated[
    tuple[
        Annotated[
            str,
            Schema(
                "One of borg's patterns, for a path below the source.",
                Rule(r"!self.matches(r'\p{Cc}')", "a pattern is one line without control characters"),
                minLength=1,
                maxLength=1024,
            ),
        ],
        ...,
    ],
    Schema(
        "What to leave out, as borg's patterns for paths below the source, for example `*.tmp` or `sh:cache/**`; what "
        "they match in the target is left alone.",
        maxItems=64,
    ),
]


class TargetClaim(Model):
    claim_name: Annotated[
        str, Schema("The name of a PersistentVolumeClaim in the same namespace.", minLength=1, maxLength=253)
    ]
    path: Annotated[
        str,
        Schema(
            "A folder in it to restore into, made when it is missing; default: its root.",
            Rule(
                r"!self.startsWith('/') && !self.matches(r'(^|/)\.\.?(/|$)') && !self.matches(r'[\x00-\x1f]')",
                "the folder is relative to the claim's root: no leading '/', no '.' or '..' part, for example restored",
            ),
            maxLength=1024,
        ),
    ] = ""


class TargetNewClaim(Model):
    name: Annotated[
        str,
        Schema(
            "The name of the claim to make. It stays when the BorgRestore is deleted.",
            Rule(
                "self.matches(r'^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
                "a claim's name has lower-case letters, digits, '-' and '.' within",
            ),
            minLength=1,
            maxLength=253,
        ),
    ]
    storage_class_name: Annotated[str, Schema("Its StorageClass; default: the cluster's.", maxLength=253)] = ""
    size: Annotated[
        str,
        Schema(
            "How large, for example `10Gi`; default: a tenth more than what is restored takes in blocks of 4 KiB, at "
            "least 16 KiB for each file and folder (ext4 has room for so many only), and at least 1Gi.",
            Rule(
                "self == '' || (isQuantity(self) && quantity(self).isGreaterThan(quantity('0')))",
                "give a quantity above 0, for example 10Gi",
            ),
            maxLength=32,
        ),
    ] = ""
    access_modes: Annotated[
        tuple[
            Annotated[
                str,
                Schema("One mode.", enum=["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"]),
            ],
            ...,
        ],
        Schema("How it may be mounted; default ReadWriteOnce.", maxItems=3),
    ] = ("ReadWriteOnce",)


class Target(Model):
    claim: Annotated[TargetClaim | None, Schema("A claim that is there.")] = None
    new_claim: Annotated[
        TargetNewClaim | None,
        Schema("A claim that is made for it once the archive is found; one of that name must not be there."),
    ] = None
    stream: Annotated[
        StreamCommand | None,
        Schema(
            "A command, for example `pg_restore`, in a container with an image of its own: it is given the content of "
            "one file, as of a dump, and its exit code says whether it went well. `paths` names the file where the "
            "source has several. `undo`, `verify` and `ownership` mean nothing here: only the command knows what it "
            "changes."
        ),
    ] = None


RestoreTarget = Annotated[
    Target,
    Schema(
        "Where to: exactly one of `claim`, `newClaim` and `stream`.",
        Rule(
            "(has(self.claim) ? 1 : 0) + (has(self.newClaim) ? 1 : 0) + (has(self.stream) ? 1 : 0) == 1",
            "give exactly one of claim (which is there), newClaim and stream (a command)",
        ),
    ),
]
