"""How pods run: what they may read, where, with what image and resources."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from borg_contract.schema import Rule, Rules, Schema
from borg_core.kinds.parts.base import IS_A_NAME, SUBDOMAIN, Model, NameRef

_KEY_NAME = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY = rf"^({SUBDOMAIN}/)?{_KEY_NAME}$"
"""What a label's or an annotation's key looks like, and below, a label's value."""
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
OF_OTHERS = ("borgoperator.io/", "app.kubernetes.io/", "batch.kubernetes.io/")
"""Prefixes of keys that operator and Kubernetes set themselves; so are those below."""
KEYS_OF_OTHERS = ("job-name", "controller-uid")

IS_A_KEY = (
    "a key is [prefix/]name with a DNS name as prefix and letters, digits, '-', '_' and '.' in the name, for example "
    "example.com/team"
)
KEYS_ARE_KEYS = Rule(
    f"self.all(key, key.size() <= 317 && key.indexOf('/') <= 253 && key.matches(r'{KEY}'))",
    IS_A_KEY,
)
IS_A_LABEL_VALUE = Rule(
    f"self.matches(r'{LABEL_VALUE}')",
    "a label's value has letters, digits, '-', '_' and '.' only and begins and ends with a letter or digit",
)
_KEYS = (
    KEYS_ARE_KEYS,
    Rule(
        "!self.exists(key, "
        + " || ".join(
            (
                *(f"key.startsWith('{prefix}')" for prefix in OF_OTHERS),
                *(f"key == '{key}'" for key in KEYS_OF_OTHERS),
            )
        )
        + ")",
        "labels and annotations under borgoperator.io/, app.kubernetes.io/ and batch.kubernetes.io/ are "
        "set by the operator and by Kubernetes; choose another prefix",
    ),
)


class FileAccess(StrEnum):
    """Restricted: the pod's user reads what it may. ReadAll: root that may read everything (and nothing else)."""

    RESTRICTED = "Restricted"
    READ_ALL = "ReadAll"


class Toleration(Model):
    key: Annotated[
        str | None,
        Schema(
            "The taint's key; empty with operator Exists: every taint.",
            Rule(f"self == '' || self.indexOf('/') <= 253 && self.matches(r'{KEY}')", IS_A_KEY),
            maxLength=317,
        ),
    ] = None
    operator: Annotated[Literal["Equal", "Exists"] | None, Schema("How key and value are compared; default Equal.")] = (
        None
    )
    value: Annotated[str | None, Schema("The taint's value, with operator Equal.", IS_A_LABEL_VALUE, maxLength=63)] = (
        None
    )
    effect: Annotated[
        Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Schema("Which effect is tolerated; default: all."),
    ] = None
    toleration_seconds: Annotated[
        int | None, Schema("With NoExecute, for how many seconds; default for ever.", format="int64", minimum=0)
    ] = None


_WHOLE_TOLERATION = (
    Rule(
        "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
        "with operator Exists there is no value: leave it out, or write Equal",
    ),
    Rule(
        "(has(self.key) && self.key != '') || (has(self.operator) && self.operator == 'Exists')",
        "without a key, which is every taint, write operator Exists",
    ),
    Rule(
        "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
        "tolerationSeconds is for effect NoExecute only",
    ),
)

_RESOURCES = "cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMGTPE]i"
Quantities = Annotated[
    dict[str, Annotated[int | str, Schema("A quantity, for example `500m` or `2Gi`.", maxLength=64)]],
    Schema(
        "At most this much, for example `memory` of `2Gi`.",
        Rule(
            "self.all(name, isQuantity(string(self[name])) && !quantity(string(self[name])).isLessThan(quantity('0')))",
            "give quantities of 0 or more, for example cpu 500m and memory 2Gi",
        ),
        Rule(
            f"self.all(name, name.matches(r'^({_RESOURCES}|{SUBDOMAIN}/{_KEY_NAME})$'))",
            "a resource is cpu, memory, ephemeral-storage, hugepages-2Mi and the like, or one of a device with its "
            "domain, for example example.com/gpu",
        ),
        maxProperties=16,
    ),
]


Image = Annotated[
    str,
    Schema(
        "",
        Rule(
            "self.matches(r'^[A-Za-z0-9][A-Za-z0-9._:/@-]*$') && !self.contains('://')",
            "give an image reference, for example registry.example.com/borg-operator/runner:1.0 (no "
            "spaces, no https://)",
        ),
        minLength=1,
        maxLength=512,
    ),
]


class Resources(Model):
    limits: Quantities = {}
    requests: Annotated[
        Quantities,
        Schema(
            "What the scheduler sets aside for the pod, for example `cpu` of `500m`.",
            maxProperties=16,
        ),
    ] = {}


class JobOptions(Model):
    """How the pods of a schedule run. What Kubernetes reads and this project does not goes to the pod as it is."""

    file_access: Annotated[
        FileAccess,
        Schema(
            "`Restricted` (default): an ordinary user who reads what its uid, gid and fsGroup may; fits the "
            "restricted Pod Security Standard. `ReadAll`: root with no capability but DAC_OVERRIDE, for "
            "trees with many owners; needs a namespace that enforces baseline at most. Sources are mounted "
            "read-only in both."
        ),
    ] = FileAccess.RESTRICTED
    run_as_user: Annotated[
        int | None,
        Schema(
            "The uid that reads the sources and writes local repositories; default: 10001, or where the installer "
            "left users to the platform (OpenShift), what that gives; with fileAccess ReadAll, 0.",
            format="int64",
            minimum=0,
            maximum=2147483647,
        ),
    ] = None
    run_as_group: Annotated[
        int | None,
        Schema(
            "The primary gid; default: the uid's number, or what the platform gives, as for runAsUser.",
            format="int64",
            minimum=0,
            maximum=2147483647,
        ),
    ] = None
    fs_group: Annotated[
        int | None,
        Schema(
            "A gid that the pod has besides, and to which Kubernetes gives the volumes that are written "
            "(repositories, caches), so that an ordinary user can write them; default: the primary gid, or what the "
            "platform gives, as for runAsUser; with fileAccess ReadAll, none.",
            format="int64",
            minimum=0,
            maximum=2147483647,
        ),
    ] = None
    image: Annotated[
        Image | None,
        Schema(
            "The image with runner and borg; default: the one of the operator's release. Another one is "
            "refused (Ready=False) unless whoever installed the operator allowed it.",
        ),
    ] = None
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        Schema("When the node pulls the image; default: as the operator is configured (IfNotPresent)."),
    ] = None
    image_pull_secrets: Annotated[
        tuple[Annotated[NameRef, Schema("One Secret.", below={"name": Schema("The Secret's name.")})], ...],
        Schema(
            "Secrets of type kubernetes.io/dockerconfigjson in the same namespace, to pull the image, besides those "
            "that the installer named for all backup pods.",
            maxItems=16,
            listMapKeys=["name"],
        ),
    ] = ()
    resources: Annotated[
        dict[str, Any] | None,
        Schema(
            "CPU and memory of the pod, as in a container's `resources`, for example `{requests: {cpu: 500m, "
            "memory: 512Mi}, limits: {memory: 2Gi}}`. Borg needs memory in proportion to the number of "
            "files. What is left out is as the installer set it for all backup pods, each resource by itself, else "
            "not set; an installer's limit below a request that is given here is raised to that, and an installer's "
            "request above a limit lowered.",
            Rule(
                "!has(self.requests) || !has(self.limits) || self.requests.all(name, !(name in self.limits) || "
                "!isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || "
                "!quantity(string(self.requests[name])).isGreaterThan(quantity(string(self.limits[name]))))",
                "a request is more than the limit of the same resource: raise the limit, or lower the request",
            ),
            shape=Resources,
        ),
    ] = None
    node_selector: Annotated[
        dict[str, Annotated[str, Schema("The label's value.", IS_A_LABEL_VALUE, maxLength=63)]],
        Schema(
            "Labels that a node must have to run the pods, for example `{kubernetes.io/arch: amd64}`. Merged with "
            "those that the installer set; of two with one key, the one here holds.",
            KEYS_ARE_KEYS,
            maxProperties=32,
        ),
    ] = {}
    tolerations: Annotated[
        tuple[Annotated[dict[str, Any], Schema("One toleration.", *_WHOLE_TOLERATION, shape=Toleration)], ...],
        Schema(
            "Taints that the pods put up with, as in a pod's spec, besides those that the installer named.", maxItems=32
        ),
    ] = ()
    affinity: Annotated[
        dict[str, Any] | None,
        Schema(
            "nodeAffinity, podAffinity and podAntiAffinity exactly as in a pod's spec (`kubectl explain "
            "pod.spec.affinity`); each of the three in place of the installer's. Checked when the CronJob is made, "
            "not here."
        ),
    ] = None
    priority_class_name: Annotated[
        str | None,
        Schema(
            "The pods' PriorityClass; default: the one that the installer set, else the cluster's.",
            IS_A_NAME,
            minLength=1,
            maxLength=253,
        ),
    ] = None
    labels: Annotated[
        dict[
            str,
            Annotated[
                str,
                Schema(
                    "The label's value.",
                    IS_A_LABEL_VALUE,
                    maxLength=63,
                ),
            ],
        ],
        Schema(
            "Labels put on the pods besides the operator's own and those that the installer set (of two with one "
            "key, the one here holds), for example for a NetworkPolicy.",
            *_KEYS,
            maxProperties=32,
        ),
    ] = {}
    annotations: Annotated[
        dict[str, Annotated[str, Schema("The annotation's value.", maxLength=4096)]],
        Schema(
            "Annotations put on the pods besides those that the installer set; of two with one key, the one here "
            "holds.",
            *_KEYS,
            maxProperties=32,
        ),
    ] = {}


Job = Annotated[
    JobOptions,
    Schema(
        "How the pods run. The defaults meet the restricted Pod Security Standard.",
        Rules(
            "!has(self.runAsUser)",
            (
                Rule(
                    "self.fileAccess != 'ReadAll' || self.runAsUser == 0",
                    "fileAccess ReadAll means root, who alone may read every file: remove runAsUser",
                    ".runAsUser",
                ),
                Rule(
                    "self.fileAccess != 'Restricted' || self.runAsUser != 0",
                    "fileAccess Restricted forbids root: choose another user, or set fileAccess to ReadAll to read "
                    "files of every owner",
                    ".runAsUser",
                ),
            ),
        ),
        default={},
    ),
]
