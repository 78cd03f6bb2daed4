"""Volumes as in a pod's spec, and the sources that are backed up from them."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic.alias_generators import to_camel

from borg_contract.schema import Rule, Schema
from borg_core.kinds.parts.base import IS_A_NAME, Model, NameRef, ResourceName
from borg_core.kinds.parts.containers.stream import DUMPS_ALONE, FEW_DUMPS, NO_PATHS, SHORT_NAME, Dump
from borg_core.kinds.selectors.claim import ANY_CLAIM, ClaimSelector
from borg_core.registry import Reference


class PersistentVolumeClaimSource(Model):
    claim_name: Annotated[ResourceName, Schema("The PersistentVolumeClaim's name.")]
    read_only: Annotated[
        bool | None,
        Schema(
            "Attach the volume read-only. Sources are mounted read-only in any case; this matters for "
            "storage that allows several readers or one writer."
        ),
    ] = None


class HostPathType(StrEnum):
    ANY = ""
    DIRECTORY_OR_CREATE = "DirectoryOrCreate"
    DIRECTORY = "Directory"
    FILE_OR_CREATE = "FileOrCreate"
    FILE = "File"
    SOCKET = "Socket"
    CHAR_DEVICE = "CharDevice"
    BLOCK_DEVICE = "BlockDevice"


class HostPathSource(Model):
    path: Annotated[
        str,
        Schema(
            "An absolute path on the node, for example `/srv/borg`.",
            Rule(
                r"self.startsWith('/') && !self.matches(r'(^|/)\.\.(/|$)')",
                "give an absolute path on the node without '..', for example /srv/borg",
            ),
            minLength=1,
            maxLength=1024,
        ),
    ]
    type: Annotated[
        HostPathType | None,
        Schema(
            "What must be there before the pod starts; empty (the default) checks nothing. "
            "`DirectoryOrCreate` makes an empty folder when there is none."
        ),
    ] = None


class NfsSource(Model):
    server: Annotated[str, Schema("Host name or IP address of the NFS server.", minLength=1, maxLength=253)]
    path: Annotated[
        str,
        Schema(
            "The exported path, absolute, for example `/export/data`.",
            Rule("self.startsWith('/')", "give the exported path, which begins with '/', for example /export/data"),
            minLength=1,
            maxLength=1024,
        ),
    ]
    read_only: Annotated[bool | None, Schema("Mount the export read-only.")] = None


class CsiSource(Model):
    driver: Annotated[
        str,
        Schema(
            "The CSI driver's name as it is registered in the cluster, for example `smb.csi.k8s.io`.",
            IS_A_NAME,
            minLength=1,
            maxLength=63,
        ),
    ]
    read_only: Annotated[bool | None, Schema("Mount the volume read-only.")] = None
    fs_type: Annotated[
        str | None,
        Schema("File system to mount, for example `ext4`; the driver chooses when it is left out.", maxLength=63),
    ] = None
    volume_attributes: Annotated[
        dict[str, Annotated[str, Schema("One setting.", maxLength=4096)]],
        Schema("Settings for the driver; its documentation lists them.", maxProperties=64),
    ] = {}
    node_publish_secret_ref: Annotated[
        NameRef | None,
        Schema(
            "A Secret in the same namespace with what the driver needs to mount the volume.",
            below={"name": Schema("The Secret's name.")},
        ),
    ] = None


class VolumeSource(Model):
    """A core/v1 volume source: exactly one of its fields is given. All but the claim go to the pod as they are."""

    persistent_volume_claim: Annotated[
        PersistentVolumeClaimSource | None,
        Schema("A claim in the same namespace. It is looked up at each run, so it may be made later."),
    ] = None
    host_path: Annotated[
        dict[str, Any] | None,
        Schema(
            "A folder of the node that the pod happens to run on. Refused (Ready=False) unless whoever "
            "installed the operator allowed it, because it reaches outside the namespace.",
            shape=HostPathSource,
        ),
    ] = None
    nfs: Annotated[dict[str, Any] | None, Schema("An NFS export that the node mounts.", shape=NfsSource)] = None
    csi: Annotated[
        dict[str, Any] | None,
        Schema("An ephemeral volume that a CSI driver provides for the life of the pod.", shape=CsiSource),
    ] = None

    @property
    def claim_name(self) -> str | None:
        return self.persistent_volume_claim.claim_name if self.persistent_volume_claim else None


_ONE_OF = [to_camel(name) for name in VolumeSource.model_fields]

VOLUME_SCHEMA = Schema(
    "A volume as in a pod's spec, of exactly one kind, for example `persistentVolumeClaim: {claimName: data}`.",
    Rule(
        " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in _ONE_OF) + " == 1",
        f"give exactly one of {', '.join(_ONE_OF[:-1])} and {_ONE_OF[-1]}",
    ),
)
Volume = Annotated[VolumeSource, VOLUME_SCHEMA]


class Copy(StrEnum):
    """What is backed up of a claim: itself, or a copy that the storage makes at that moment."""

    NONE = "None"
    CLONE = "Clone"
    SNAPSHOT = "Snapshot"


class Source(Model):
    """A volume, or all claims that match: these are sources of their own wherever anything is made of them."""

    name: Annotated[
        str,
        Schema(
            "The folder below `/sources` in the pod and so in the archives: keep it, and archives of before "
            "and after stay comparable. For example `data`. With `claimSelector` only what the selector is called: "
            "each claim's folder is called like the claim.",
            Rule(
                "self.matches(r'^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "a source's name is a folder and a volume name: lower-case letters, digits and '-', "
                "beginning and ending with a letter or digit, for example app-data",
            ),
            minLength=1,
            maxLength=63,
        ),
    ]
    volume: Annotated[VolumeSource | None, VOLUME_SCHEMA] = None
    claim_selector: Annotated[
        ClaimSelector | None,
        Schema(
            "In place of `volume`: each PersistentVolumeClaim of the namespace whose labels match is a source, called "
            "like the claim (a name with dots or of more than 63 characters gets a digest). `{}` is every claim. They "
            "may come and go. Left out are claims that are not bound, are being deleted, or bear "
            '`borgoperator.io/ignore: "true"` as a label or annotation, those that another source names, and those '
            "that the run's own repositories are on.",
        ),
    ] = None
    dump: Annotated[
        Dump | None,
        Schema(
            "In place of `volume`: what a command writes, for example `pg_dump`. It runs in a container beside the "
            "runner's, with an image of its own, and what it writes goes straight into the archive. If it fails, there "
            "is no archive, and the run is Failed with its last words (DumpFailed). With several repositories it runs "
            "once for each."
        ),
    ] = None
    copy_: Annotated[
        Copy | None,
        Schema(
            "What is read: `None` (the default) is the volume itself, as it is while the backup goes through it. "
            "`Clone` is a clone of the claim, which its CSI driver makes for each run and which goes with the run: of "
            "one moment, on any node that the storage reaches, also of a `ReadWriteOncePod` claim in use. `Snapshot` "
            "is the same from a VolumeSnapshot, for drivers that snapshot but do not clone; each run then waits for "
            "the operator."
        ),
    ] = None
    paths: Annotated[
        tuple[
            Annotated[
                str,
                Schema(
                    "A file or folder, relative to the volume's root.",
                    Rule(
                        r"!self.startsWith('/') && !self.matches(r'(^|/)\.\.(/|$)') && !self.matches(r'\x00')",
                        "a path is relative to the volume's root: no leading '/', no '..' part, for example "
                        "uploads/2024 or .",
                    ),
                    minLength=1,
                    maxLength=1024,
                ),
            ],
            ...,
        ],
        Schema(
            'Paths below the volume\'s root, for example `["uploads", "etc/app"]`; default `["."]`, the '
            "whole volume. Each has to be there: what can be read is archived, and the run is Failed for the rest. One "
            "that holds no file is a warning.",
            minItems=1,
            maxItems=64,
        ),
    ] = (".",)

    @property
    def claim_name(self) -> str | None:
        return self.volume.claim_name if self.volume else None

    @property
    def is_copied(self) -> bool:
        return self.copy_ in (Copy.CLONE, Copy.SNAPSHOT)


Sources = Annotated[
    tuple[
        Annotated[
            Source,
            Schema(
                "A volume, each claim that matches, or a dump, and what of it is backed up.",
                Rule(
                    " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in ("volume", "claimSelector", "dump")) + " == 1",
                    "give exactly one of volume (one volume), claimSelector (each claim whose labels match) and dump "
                    "(what a command writes)",
                ),
                Rule(
                    "!has(self.copy) || self.copy == 'None' || has(self.claimSelector) "
                    "|| (has(self.volume) && has(self.volume.persistentVolumeClaim))",
                    "only a claim can be copied: with copy: Clone or Snapshot, give volume.persistentVolumeClaim or "
                    "claimSelector",
                ),
                NO_PATHS,
                SHORT_NAME,
            ),
        ],
        ...,
    ],
    Schema("", DUMPS_ALONE, FEW_DUMPS, maxItems=32, listMapKeys=["name"]),
]

MinFiles = Annotated[
    int | None,
    Schema(
        "How many files an archive must hold, as borg counts them: regular ones, after `exclude`. One with fewer is "
        "kept, the run is Failed with reason TooFewFiles, and nothing is pruned. 0 says that any number is good, also "
        "none: no warning of sources that are empty (SourceEmpty) or have far fewer files than before (SourceShrank). "
        "Default: those warnings, and no least number.",
        format="int64",
        minimum=0,
    ),
]


def references_of_sources(namespace: str, sources: Iterable[Source]) -> Iterator[Reference]:
    """Yield the claims of the sources; of a selector, that it is about any claim."""
    given = tuple(sources)
    yield from references_of_volumes(namespace, (source.volume for source in given))
    if any(source.claim_selector is not None for source in given):
        yield Reference("PersistentVolumeClaim", namespace, ANY_CLAIM)


def references_of_volumes(namespace: str, volumes: Iterable[VolumeSource | None]) -> Iterator[Reference]:
    """Yield the claims of the volumes."""
    for volume in volumes:
        if volume and volume.claim_name:
            yield Reference("PersistentVolumeClaim", namespace, volume.claim_name)
