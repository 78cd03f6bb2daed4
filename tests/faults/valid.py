"""A valid resource of each kind with every field there is, to be bent."""

from typing import Any

Object = dict[str, Any]

_CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}
_SECRET = {"name": "borg", "key": "passphrase"}
_HOOK = {
    "scriptRef": {"name": "wake"},
    "parameters": [{"name": "HOST", "value": "nas"}, {"name": "TOKEN", "valueFrom": {"secretKeyRef": _SECRET}}],
}
_HOOKS = {"preBackup": _HOOK, "postBackup": _HOOK}
_JOB = {
    "fileAccess": "Restricted",
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "fsGroup": 1000,
    "image": "registry.example.com:5000/runner:1.0",
    "imagePullPolicy": "Always",
    "imagePullSecrets": [{"name": "pull"}],
    "resources": {"limits": {"memory": "2Gi", "cpu": 2}, "requests": {"memory": "512Mi", "cpu": "500m"}},
    "nodeSelector": {"kubernetes.io/arch": "amd64"},
    "tolerations": [{"key": "backup", "operator": "Equal", "value": "yes", "effect": "NoExecute"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "low",
    "labels": {"example.com/team": "a"},
    "annotations": {"example.com/note": "b"},
}
_REPOSITORY = {
    "encryption": {"mode": "repokey-blake2", "passphraseSecretRef": _SECRET},
    "initialize": True,
    "sources": [{"name": "files", "volume": {"persistentVolumeClaim": {"claimName": "files"}}, "paths": ["a/b", "."]}],
    "exclude": ["*.tmp", "sh:**/cache", r"re:\.bak$", "pp:sources/files/x"],
    "minFiles": 3,
    "compression": "auto,zstd,10",
    "uploadRateLimitKiB": 100,
    "hooks": _HOOKS,
    "cache": {"persistentVolumeClaim": {"claimName": "cache"}},
    "verification": {"check": {"schedule": "0 3 * * 0", "timeZone": "Europe/Berlin"}},
}
_SSH = {
    "url": "ssh://u1@backup.example.com:23/./borg/main",
    "privateKeySecretRef": {"name": "ssh", "key": "id_ed25519"},
    "knownHostsSecretRef": {"name": "ssh", "key": "known_hosts"},
    "remotePath": "borg-1.4",
}
_VOLUMES: tuple[Object, ...] = (
    _CLAIM,
    {"hostPath": {"path": "/srv/borg", "type": "Directory"}},
    {"nfs": {"server": "nas.example.com", "path": "/export/data"}},
    {
        "csi": {
            "driver": "smb.csi.k8s.io",
            "fsType": "ext4",
            "volumeAttributes": {"source": "//nas/a"},
            "nodePublishSecretRef": {"name": "smb"},
        }
    },
)
_SCHEDULE = {
    "title": "Daily Backup",
    "description": "Whom to ask",
    "schedule": "0 2 * * *",
    "timeZone": "Europe/Berlin",
    "repositoryRefs": [{"name": "main"}],
    "sources": [{"name": "app", "volume": {"persistentVolumeClaim": {"claimName": "app"}}, "paths": ["x"]}],
    "archiveNameTemplate": "{job_name}-{now}",
    "runRepositoryHooks": True,
    "hooks": _HOOKS,
    "prune": {
        "enabled": True,
        "keepWithin": "7d",
        "keepHourly": 1,
        "keepDaily": 7,
        "keepWeekly": 4,
        "keepMonthly": 6,
        "keepQuarterly": 1,
        "keepYearly": 1,
    },
    "compact": {"enabled": True, "threshold": 10},
    "startingDeadlineSeconds": 3600,
    "activeDeadlineSeconds": 86400,
    "runHistoryLimit": 10,
    "job": _JOB,
}
_SCRIPT = {
    "description": "Wakes the server",
    "content": '#!/bin/sh\nssh "$HOST" wakeup\n',
    "timeoutSeconds": 300,
    "parameters": [
        {"name": "HOST", "type": "Text", "required": True, "default": "nas", "description": "Which one"},
        {"name": "TOKEN", "type": "Password"},
    ],
}
VALID: dict[str, tuple[Object, ...]] = {
    "BorgRepository": (
        *({"local": {"volume": volume, "path": "borg/main"}, **_REPOSITORY} for volume in _VOLUMES),
        {"ssh": _SSH, **_REPOSITORY},
    ),
    "BorgSchedule": (
        _SCHEDULE,
        {**_SCHEDULE, "schedule": "H H(1-5) * * *"},
        {**_SCHEDULE, "sources": [{"name": f"v{number}", "volume": each} for number, each in enumerate(_VOLUMES[1:])]},
    ),
    "BorgScript": (_SCRIPT,),
    "BorgRun": (
        {"scheduleRef": {"name": "db"}, "operation": "Backup", "cancel": False},
        {"repositoryRef": {"name": "main"}, "operation": "Check"},
    ),
}
"""By kind: specs with every field there is."""

NAMES = {"BorgRepository": "main", "BorgSchedule": "db", "BorgScript": "wake", "BorgRun": "now"}
