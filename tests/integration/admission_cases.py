"""What the API server must refuse, each with the field and the words it says, and what it must let in."""

from dataclasses import dataclass
from typing import Any

CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}
SECRET = {"name": "borg", "key": "passphrase"}
HOOK = {"scriptRef": {"name": "wake-nas"}}

VALID: dict[str, dict[str, Any]] = {
    "BorgRepository": {
        "local": {"volume": CLAIM},
        "encryption": {"passphraseSecretRef": SECRET},
        "sources": [{"name": "data", "volume": CLAIM}],
    },
    "BorgSchedule": {"schedule": "0 2 * * *", "repositoryRefs": [{"name": "main"}]},
    "BorgScript": {"content": "#!/bin/sh\ntrue\n"},
    "BorgRun": {"scheduleRef": {"name": "daily"}},
    "BorgRestore": {
        "repositoryRef": {"name": "main"},
        "archive": "daily-1",
        "target": {"stream": {"image": "docker.io/library/postgres:17", "command": ["pg_restore", "--dbname=app"]}},
    },
    "BorgSession": {"repositoryRef": {"name": "main"}},
}

DUMP = {"image": "docker.io/library/postgres:17", "command": ["pg_dump"], "path": "app.dump"}
FROM_SECRET = {"secretKeyRef": SECRET}

SSH = {
    "url": "ssh://u1@backup.example.com:23/./borg/main",
    "privateKeySecretRef": {"name": "borg-ssh", "key": "id_ed25519"},
    "knownHostsSecretRef": {"name": "borg-ssh", "key": "known_hosts"},
}

FIVE_FIELDS = (
    'a CronJob takes exactly five fields: minute, hour, day of month, month, weekday, for example "0 2 * * *" '
    "(there is no field for seconds or years)"
)
DIALECT = (
    'a CronJob knows numbers, "*", "?", ",", "-" and "/", the months JAN-DEC and the weekdays SUN-SAT only, '
    "and here there is H; there is no L, W, # or R"
)
HASH = "write H alone, with a range, with a step or with both: H, H(0-29), H/15, H(0-29)/10"
DESCRIPTORS = (
    "after @ a CronJob knows yearly, annually, monthly, weekly, daily, midnight, hourly and every (as in "
    "@every 1h30m) only"
)
SUNDAY = "a CronJob numbers the weekdays 0 (Sunday) to 6 (Saturday); write 0 or SUN for Sunday, not 7"
NO_ZONE = "a time zone is not part of the schedule; put it into spec.timeZone, for example Europe/Berlin"
ZONE = "name an IANA time zone, for example Europe/Berlin or Etc/UTC"
ONE_OF_SOURCE = (
    "give exactly one of volume (one volume), claimSelector (each claim whose labels match) and dump (what a command "
    "writes)"
)
ONE_VOLUME = "give exactly one of persistentVolumeClaim, hostPath, nfs and csi"
PASSPHRASE = (
    "give encryption.passphraseSecretRef, a Secret in this namespace with the repository's passphrase, or set "
    "encryption.mode to none for a repository that anyone with its files can read"
)
URL = (
    "give ssh://user@host[:port]/path, for example ssh://u1@backup.example.com:23/./borg/main; no password, no '::', "
    "no braces"
)
COPY = "only a claim can be copied: with copy: Clone or Snapshot, give volume.persistentVolumeClaim or claimSelector"
SOURCE_PATH = "a path is relative to the volume's root: no leading '/', no '..' part, for example uploads/2024 or ."
LOCAL_PATH = (
    "give a path below the volume's root, for example borg/main: no leading '/', no '..', no '::', no ':' at the "
    "end, no braces, no control characters, no part longer than 255 characters"
)
EXCLUDED = "spec.exclude[0]"
_SPELLING = (
    "the path in the archive begins with sources/ and the source's name, without a slash before: write "
    "sources/data/cache for one folder, "
)
NEVER = f"this pattern can never leave anything out: {_SPELLING}"
FM_PATTERN = f"{NEVER}*/cache for folders of that name anywhere, *.bak for files (* matches slashes as well)"
RE_PATTERN = f"this expression can never match: {_SPELLING}as re:^sources/data/cache, or re:/cache$ anywhere"
LONE_PATTERN = (
    "a pattern stands alone here, without '-', '!' or '#' of a pattern file and without a blank before it: write "
    "*.bak, or sh:**/.git"
)

COMPRESSION = (
    "give none, lz4, zstd[,1-22], zlib[,0-9] or lzma[,0-9], with auto, or obfuscate,LEVEL, in front if wanted; "
    "for example zstd,3 or auto,zstd,10"
)
PLACEHOLDERS = (
    "known placeholders are {job_name}, {repo_name}, {now}, {date}, {time} and {timestamp}; other braces cannot be used"
)
PARAMETER = (
    "an environment variable's name has letters, digits and '_' only, and does not begin with a digit, for example HOST"
)
CLOBBER = (
    "this name steers the shell, the loader, Python or borg itself; choose another one, for example with a prefix of "
    "your own"
)
NAME = (
    "a name in Kubernetes has lower-case letters, digits, '-' and '.' only, and each part between dots begins and ends "
    "with a letter or digit, for example app-data"
)
KEY = (
    "a key is [prefix/]name with a DNS name as prefix and letters, digits, '-', '_' and '.' in the name, for example "
    "example.com/team"
)
LABEL_VALUE = "a label's value has letters, digits, '-', '_' and '.' only and begins and ends with a letter or digit"
QUANTITIES = "give quantities of 0 or more, for example cpu 500m and memory 2Gi"
ONE_VALUE = "give exactly one of value (a plain text) and valueFrom (from a Secret)"
KEEP_WITHIN = (
    "give a whole number above 0 and a unit: H (hours), d (days), w (weeks), m (months of 31 days) or y (years), for "
    "example 7d"
)
OWN_KEYS = (
    "labels and annotations under borgoperator.io/, app.kubernetes.io/ and batch.kubernetes.io/ are set by the "
    "operator and by Kubernetes; choose another prefix"
)
ONE_SUBJECT = (
    "give exactly one of scheduleRef (a BorgSchedule) and repositoryRef (a BorgRepository, for Compact, Check, "
    "Drill, List and BreakLock)"
)
NEEDS_SCHEDULE = (
    "only a schedule says what is backed up and kept: give scheduleRef, or one of the operations Compact, Check, "
    "Drill, List and BreakLock"
)


@dataclass(frozen=True)
class Refusal:
    """A resource that differs from the valid one of its kind in `changes` (path → value); `name` is the resource's."""

    kind: str
    what: str
    changes: dict[str, Any]
    field: str
    message: str
    name: str = "main"


REFUSALS = (
    # --- where a repository is
    Refusal(
        "BorgRepository",
        "neither local nor ssh",
        {"local": None},
        "spec",
        "give exactly one of local (a folder in a volume) and ssh (a server with borg)",
    ),
    Refusal(
        "BorgRepository",
        "both local and ssh",
        {"ssh": SSH},
        "spec",
        "give exactly one of local (a folder in a volume) and ssh (a server with borg)",
    ),
    Refusal(
        "BorgRepository",
        "two kinds of volume",
        {"local.volume.nfs": {"server": "nas", "path": "/a"}},
        "spec.local.volume",
        ONE_VOLUME,
    ),
    Refusal("BorgRepository", "no kind of volume", {"local.volume": {}}, "spec.local.volume", ONE_VOLUME),
    Refusal(
        "BorgRepository",
        "two kinds of volume in a source",
        {"sources.0.volume": CLAIM | {"hostPath": {"path": "/a"}}},
        "spec.sources[0].volume",
        ONE_VOLUME,
    ),
    # --- dumps
    Refusal(
        "BorgRestore",
        "two targets",
        {"target.claim": {"claimName": "data"}},
        "spec.target",
        "give exactly one of claim (which is there), newClaim and stream (a command)",
    ),
    *(
        Refusal(
            "BorgRestore",
            f"{field} of a stream",
            {field: value},
            "spec",
            "mode and writers are about files in a claim: leave them out with target.stream, whose command alone knows "
            "what it changes",
        )
        for field, value in (("mode", "Mirror"), ("writers", "ScaleDown"))
    ),
    Refusal(
        "BorgRepository", "a volume and a dump in a source", {"sources.0.dump": DUMP}, "spec.sources[0]", ONE_OF_SOURCE
    ),
    Refusal(
        "BorgRepository", "neither a volume nor a dump", {"sources.0.volume": None}, "spec.sources[0]", ONE_OF_SOURCE
    ),
    Refusal(
        "BorgRepository",
        "paths of a dump",
        {"sources": [{"name": "db", "dump": DUMP, "paths": ["a"]}]},
        "spec.sources[0].paths",
        "paths are those of a volume: a dump has the one path in dump.path",
    ),
    Refusal(
        "BorgSchedule",
        "two dumps beside a volume",
        {"sources": [{"name": "data", "volume": CLAIM}, *({"name": name, "dump": DUMP} for name in "ab")]},
        "spec.sources",
        "beside volumes borg reads one dump only: give several dumps a BorgSchedule without volumes",
    ),
    Refusal(
        "BorgSchedule",
        "nine dumps",
        {"sources": [{"name": name, "dump": DUMP} for name in "abcdefghi"]},
        "spec.sources",
        "each dump has a container, and a pod at most 8 of them: make another BorgSchedule",
    ),
    Refusal(
        "BorgSchedule",
        "a dump with a name that is too long for a container",
        {"sources": [{"name": "a" * 57, "dump": DUMP}]},
        "spec.sources[0].name",
        "a dump's container has the source's name and a word more: give a name of at most 56 characters",
    ),
    *(
        Refusal(
            "BorgSchedule",
            f"a dump's path {path!r}",
            {"sources": [{"name": "db", "dump": DUMP | {"path": path}}]},
            "spec.sources[0].dump.path",
            "a dump's path is that of a file: no '/' at either end, no '.' or '..' part, no control characters, for "
            "example app.dump",
        )
        for path in ("/app.dump", "app/", "a/../b", "./a", "a//b", "..", "a\nb")
    ),
    Refusal(
        "BorgSchedule",
        "a dump without a command",
        {"sources": [{"name": "db", "dump": DUMP | {"command": []}}]},
        "spec.sources[0].dump.command",
        "spec.sources[0].dump.command in body should have at least 1 items",
    ),
    Refusal(
        "BorgSchedule",
        "a dump whose program is an empty word",
        {"sources": [{"name": "db", "dump": DUMP | {"command": ["", "--all"]}}]},
        "spec.sources[0].dump.command",
        "the first word of a command is its program: it cannot be empty",
    ),
    Refusal(
        "BorgRestore",
        "a stream whose program is an empty word",
        {"target.stream.command": [""]},
        "spec.target.stream.command",
        "the first word of a command is its program: it cannot be empty",
    ),
    Refusal(
        "BorgSchedule",
        "a dump's image as an address",
        {"sources": [{"name": "db", "dump": DUMP | {"image": "https://a/b"}}]},
        "spec.sources[0].dump.image",
        "give an image reference, for example registry.example.com/borg-operator/runner:1.0 (no spaces, no https://)",
    ),
    Refusal(
        "BorgSchedule",
        "a dump's variable with a value and a Secret",
        {"sources": [{"name": "db", "dump": DUMP | {"env": [{"name": "A", "value": "", "valueFrom": FROM_SECRET}]}}]},
        "spec.sources[0].dump.env[0]",
        ONE_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a dump's variable that is none",
        {"sources": [{"name": "db", "dump": DUMP | {"env": [{"name": "A-B", "value": ""}]}}]},
        "spec.sources[0].dump.env[0].name",
        PARAMETER,
    ),
    Refusal(
        "BorgRepository",
        "two kinds of volume for the cache",
        {"cache": CLAIM | {"csi": {"driver": "a"}}},
        "spec.cache",
        ONE_VOLUME,
    ),
    Refusal(
        "BorgRepository",
        "a relative hostPath",
        {"local.volume": {"hostPath": {"path": "srv/borg"}}},
        "spec.local.volume.hostPath.path",
        "give an absolute path on the node without '..', for example /srv/borg",
    ),
    Refusal(
        "BorgRepository",
        "a hostPath that climbs",
        {"local.volume": {"hostPath": {"path": "/srv/../etc"}}},
        "spec.local.volume.hostPath.path",
        "give an absolute path on the node without '..', for example /srv/borg",
    ),
    Refusal(
        "BorgRepository",
        "a relative NFS path",
        {"local.volume": {"nfs": {"server": "nas", "path": "a"}}},
        "spec.local.volume.nfs.path",
        "give the exported path, which begins with '/', for example /export/data",
    ),
    Refusal(
        "BorgRepository",
        "a repository in a read-only claim",
        {"local.volume.persistentVolumeClaim.readOnly": True},
        "spec.local.volume.persistentVolumeClaim.readOnly",
        "a repository is written to: remove readOnly",
    ),
    Refusal(
        "BorgRepository",
        "a repository in a read-only export",
        {"local.volume": {"nfs": {"server": "nas", "path": "/a", "readOnly": True}}},
        "spec.local.volume",
        "a repository is written to: remove readOnly",
    ),
    Refusal(
        "BorgRepository", "an absolute folder in the volume", {"local.path": "/main"}, "spec.local.path", LOCAL_PATH
    ),
    Refusal("BorgRepository", "a folder that climbs out", {"local.path": "a/../../b"}, "spec.local.path", LOCAL_PATH),
    Refusal(
        "BorgRepository",
        "a folder that borg would read as an archive",
        {"local.path": "a::b"},
        "spec.local.path",
        LOCAL_PATH,
    ),
    *(
        Refusal("BorgRepository", what, {"local.path": path}, "spec.local.path", LOCAL_PATH)
        for what, path in (
            ("a folder of which borg would take the end for an archive's", "a/b:"),
            ("the same with slashes after it", "a:///"),
            ("a folder with a name that no file system takes", f"a/{'b' * 256}/c"),
        )
    ),
    Refusal(
        "BorgRepository",
        "a folder with one of borg's placeholders",
        {"local.path": "{hostname}"},
        "spec.local.path",
        LOCAL_PATH,
    ),
    Refusal(
        "BorgRepository", "an scp-like URL", {"local": None, "ssh": SSH | {"url": "u1@host:borg"}}, "spec.ssh.url", URL
    ),
    Refusal(
        "BorgRepository",
        "a URL without user",
        {"local": None, "ssh": SSH | {"url": "ssh://host/borg"}},
        "spec.ssh.url",
        URL,
    ),
    Refusal(
        "BorgRepository",
        "a URL with a password",
        {"local": None, "ssh": SSH | {"url": "ssh://u:p@host/borg"}},
        "spec.ssh.url",
        URL,
    ),
    Refusal(
        "BorgRepository",
        "a user that ssh would read as an option",
        {"local": None, "ssh": SSH | {"url": "ssh://-oProxyCommand=x@host/borg"}},
        "spec.ssh.url",
        URL,
    ),
    Refusal(
        "BorgRepository",
        "a URL without path",
        {"local": None, "ssh": SSH | {"url": "ssh://u@host"}},
        "spec.ssh.url",
        URL,
    ),
    Refusal(
        "BorgRepository",
        "a URL that names an archive",
        {"local": None, "ssh": SSH | {"url": "ssh://u@host/a::b"}},
        "spec.ssh.url",
        URL,
    ),
    Refusal(
        "BorgRepository",
        "a port that does not exist",
        {"local": None, "ssh": SSH | {"url": "ssh://u@h:65536/a"}},
        "spec.ssh.url",
        "the port must be between 1 and 65535",
    ),
    Refusal(
        "BorgRepository",
        "port 0",
        {"local": None, "ssh": SSH | {"url": "ssh://u@h:0/a"}},
        "spec.ssh.url",
        "the port must be between 1 and 65535",
    ),
    Refusal(
        "BorgRepository",
        "no pinned host keys",
        {"local": None, "ssh": {key: SSH[key] for key in ("url", "privateKeySecretRef")}},
        "spec.ssh.knownHostsSecretRef",
        "Required value",
    ),
    Refusal(
        "BorgRepository",
        "a remote command that the server's shell would take apart",
        {"local": None, "ssh": SSH | {"remotePath": "borg; rm -rf ~"}},
        "spec.ssh.remotePath",
        "give the borg command on the server, for example borg-1.4: letters, digits, spaces and ./~_+- only",
    ),
    Refusal(
        "BorgRepository",
        "a Secret's key with a slash",
        {"encryption.passphraseSecretRef.key": "a/b"},
        "spec.encryption.passphraseSecretRef.key",
        "a key in a Secret has letters, digits, '-', '_' and '.' only",
    ),
    # --- how it is protected
    Refusal("BorgRepository", "no word about encryption", {"encryption": None}, "spec.encryption", PASSPHRASE),
    Refusal(
        "BorgRepository",
        "encryption without passphrase",
        {"encryption": {"mode": "repokey"}},
        "spec.encryption",
        PASSPHRASE,
    ),
    Refusal(
        "BorgRepository",
        "a mode that keeps the key in the pod",
        {"encryption.mode": "keyfile"},
        "spec.encryption.mode",
        'supported values: "none", "authenticated", "authenticated-blake2", "repokey", "repokey-blake2"',
    ),
    # --- what is backed up into it
    Refusal(
        "BorgRepository",
        "an absolute source path",
        {"sources.0.paths": ["/etc"]},
        "spec.sources[0].paths[0]",
        SOURCE_PATH,
    ),
    Refusal(
        "BorgRepository",
        "a source path that climbs out",
        {"sources.0.paths": ["a", "b/.."]},
        "spec.sources[0].paths[1]",
        SOURCE_PATH,
    ),
    Refusal(
        "BorgRepository",
        "a source without paths",
        {"sources.0.paths": []},
        "spec.sources[0].paths",
        "spec.sources[0].paths in body should have at least 1 items",
    ),
    Refusal(
        "BorgRepository",
        "a source with a volume and a selector",
        {"sources.0.claimSelector": {"matchLabels": {"backup": "nightly"}}},
        "spec.sources[0]",
        ONE_OF_SOURCE,
    ),
    Refusal(
        "BorgSchedule",
        "a selector's label with a space",
        {"sources": [{"name": "a", "claimSelector": {"matchLabels": {"backup": "every night"}}}]},
        "spec.sources[0].claimSelector.matchLabels[backup]",
        LABEL_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a selector's key that is none",
        {"sources": [{"name": "a", "claimSelector": {"matchLabels": {"-backup": "nightly"}}}]},
        "spec.sources[0].claimSelector.matchLabels",
        KEY,
    ),
    *(
        Refusal(
            "BorgSchedule",
            f"a selector's {what}",
            {"sources": [{"name": "a", "claimSelector": {"matchExpressions": [{"key": "a", **requirement}]}}]},
            "spec.sources[0].claimSelector.matchExpressions[0]",
            "give values with In and NotIn, and none with Exists and DoesNotExist",
        )
        for what, requirement in (
            ("In without values", {"operator": "In"}),
            ("NotIn with no value", {"operator": "NotIn", "values": []}),
            ("Exists with a value", {"operator": "Exists", "values": ["b"]}),
        )
    ),
    Refusal(
        "BorgSchedule",
        "a selector's operator that Kubernetes does not know",
        {"sources": [{"name": "a", "claimSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}]},
        "spec.sources[0].claimSelector.matchExpressions[0].operator",
        'supported values: "In", "NotIn", "Exists", "DoesNotExist"',
    ),
    Refusal(
        "BorgRepository",
        "a source's name with capitals",
        {"sources.0.name": "Data"},
        "spec.sources[0].name",
        "a source's name is a folder and a volume name: lower-case letters, digits and '-', beginning and ending "
        "with a letter or digit, for example app-data",
    ),
    Refusal(
        "BorgRepository",
        "a copy of what is no claim",
        {"sources.0.volume": {"nfs": {"server": "nas", "path": "/a"}}, "sources.0.copy": "Clone"},
        "spec.sources[0]",
        COPY,
    ),
    Refusal(
        "BorgSchedule",
        "a clone of a dump",
        {"sources": [{"name": "data", "dump": DUMP, "copy": "Clone"}]},
        "spec.sources[0]",
        COPY,
    ),
    Refusal(
        "BorgSchedule",
        "a snapshot of a folder of the node",
        {"sources": [{"name": "data", "volume": {"hostPath": {"path": "/a"}}, "copy": "Snapshot"}]},
        "spec.sources[0]",
        COPY,
    ),
    Refusal(
        "BorgRepository",
        "a copy of another kind",
        {"sources.0.copy": "Replica"},
        "spec.sources[0].copy",
        'supported values: "None", "Clone", "Snapshot"',
    ),
    Refusal(
        "BorgRepository",
        "a source named twice",
        {"sources": [{"name": "data", "volume": CLAIM}, {"name": "data", "volume": CLAIM}]},
        "spec.sources[1]",
        'Duplicate value: {"name":"data"}',
    ),
    Refusal(
        "BorgRepository",
        "an unknown pattern style",
        {"exclude": ["*.tmp", "rx:a"]},
        "spec.exclude[1]",
        "borg knows the pattern styles fm:, sh:, re:, pp: and pf: only; write fm:*/ in front of a name whose "
        "third character is ':'",
    ),
    *(
        Refusal(
            "BorgRepository", f"a pattern that can match nothing: {pattern}", {"exclude": [pattern]}, EXCLUDED, words
        )
        for pattern, words in {
            "data/cache": FM_PATTERN,
            "/data/cache": FM_PATTERN,
            "cache/": FM_PATTERN,
            r"C:\Users": FM_PATTERN,
            "regex:cache": FM_PATTERN,
            "sources/Data/cache": FM_PATTERN,
            "- *.bak": LONE_PATTERN,
            "! sh:**/.git": LONE_PATTERN,
            " *.tmp": LONE_PATTERN,
            "sh:*.tmp": f"{NEVER}sh:**/cache for folders of that name anywhere, sh:**/*.bak for files",
            "pp:data/cache": f"{NEVER}as pp:sources/data/cache; it knows no wildcards",
            "pf:sources": f"{NEVER}as pf:sources/data/cache; it knows no wildcards",
            "re:^/sources/data": RE_PATTERN,
            "re:^data": RE_PATTERN,
        }.items()
    ),
    Refusal("BorgRepository", "an unknown compression", {"compression": "gzip"}, "spec.compression", COMPRESSION),
    Refusal("BorgRepository", "a level beyond zstd's", {"compression": "zstd,23"}, "spec.compression", COMPRESSION),
    Refusal("BorgRepository", "a level for lz4", {"compression": "lz4,9"}, "spec.compression", COMPRESSION),
    Refusal(
        "BorgRepository",
        "a negative number of files",
        {"minFiles": -1},
        "spec.minFiles",
        "spec.minFiles in body should be greater than or equal to 0",
    ),
    Refusal(
        "BorgRepository",
        "a negative rate limit",
        {"uploadRateLimitKiB": -1},
        "spec.uploadRateLimitKiB",
        "spec.uploadRateLimitKiB in body should be greater than or equal to 0",
    ),
    Refusal(
        "BorgRepository",
        "a name with a dot",
        {},
        "metadata.name",
        "the name becomes a folder and part of volume names: at most 63 characters, lower-case letters, digits and "
        "'-' only (no '.')",
        name="nas.example",
    ),
    Refusal(
        "BorgRepository",
        "a name of 64 characters",
        {},
        "metadata.name",
        "the name becomes a folder and part of volume names: at most 63 characters, lower-case letters, digits and "
        "'-' only (no '.')",
        name="n" * 64,
    ),
    # --- how it is verified
    Refusal(
        "BorgRepository",
        "checks at no time",
        {"verification": {"check": {"timeZone": "Europe/Berlin"}}},
        "spec.verification.check.schedule",
        "Required value",
    ),
    Refusal(
        "BorgRepository",
        "checks at an hour that does not exist",
        {"verification": {"check": {"schedule": "0 24 * * *"}}},
        "spec.verification.check.schedule",
        "an hour is 0 to 23",
    ),
    Refusal(
        "BorgRepository",
        "a zone in the times of checks",
        {"verification": {"check": {"schedule": "TZ=UTC 0 3 * * 0"}}},
        "spec.verification.check.schedule",
        "a time zone is not part of the schedule; put it into spec.verification.check.timeZone, for example "
        "Europe/Berlin",
    ),
    Refusal(
        "BorgRepository",
        "checks in a zone that is none",
        {"verification": {"check": {"schedule": "0 3 * * 0", "timeZone": "Europe/New York"}}},
        "spec.verification.check.timeZone",
        ZONE,
    ),
    # --- when
    Refusal(
        "BorgSchedule",
        "two faults in one schedule",
        {"schedule": "60 24 * * *"},
        "spec.schedule",
        "a minute is 0 to 59; an hour is 0 to 23",
    ),
    Refusal("BorgSchedule", "no schedule", {"schedule": None}, "spec.schedule", "Required value"),
    Refusal("BorgSchedule", "an empty schedule", {"schedule": "  "}, "spec.schedule", FIVE_FIELDS),
    Refusal("BorgSchedule", "seconds", {"schedule": "0 0 2 * * *"}, "spec.schedule", FIVE_FIELDS),
    Refusal("BorgSchedule", "four fields", {"schedule": "0 2 * *"}, "spec.schedule", FIVE_FIELDS),
    Refusal("BorgSchedule", "the last day (L)", {"schedule": "0 2 L * *"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "the last Friday (5L)", {"schedule": "0 2 * * 5L"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "a working day (W)", {"schedule": "0 2 15W * *"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "the second Monday (#)", {"schedule": "0 2 * * MON#2"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "a random minute (R)", {"schedule": "R 2 * * *"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "H and a number", {"schedule": "H5 2 * * *"}, "spec.schedule", HASH),
    Refusal("BorgSchedule", "H with a range without brackets", {"schedule": "0-H 2 * * *"}, "spec.schedule", HASH),
    Refusal("BorgSchedule", "H with half a range", {"schedule": "H(5) 2 * * *"}, "spec.schedule", HASH),
    Refusal("BorgSchedule", "H beyond 59", {"schedule": "H(0-99) 2 * * *"}, "spec.schedule", "a minute is 0 to 59"),
    Refusal("BorgSchedule", "H beyond 23", {"schedule": "H H(20-24) * * *"}, "spec.schedule", "an hour is 0 to 23"),
    Refusal("BorgSchedule", "H up to weekday 7", {"schedule": "H H * * H(1-7)"}, "spec.schedule", SUNDAY),
    Refusal(
        "BorgSchedule",
        "H with a step of 0",
        {"schedule": "H/0 2 * * *"},
        "spec.schedule",
        "a step is a number of at least 1, for example */15",
    ),
    Refusal("BorgSchedule", "a month where a weekday belongs", {"schedule": "0 2 * * JAN"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "a month's whole name", {"schedule": "0 2 * JANUARY *"}, "spec.schedule", DIALECT),
    Refusal("BorgSchedule", "weekday 7", {"schedule": "0 2 * * 7"}, "spec.schedule", SUNDAY),
    Refusal("BorgSchedule", "a range up to weekday 7", {"schedule": "0 2 * * 1-7"}, "spec.schedule", SUNDAY),
    Refusal("BorgSchedule", "minute 60", {"schedule": "60 2 * * *"}, "spec.schedule", "a minute is 0 to 59"),
    Refusal("BorgSchedule", "hour 24", {"schedule": "0 20-24 * * *"}, "spec.schedule", "an hour is 0 to 23"),
    Refusal("BorgSchedule", "day 0", {"schedule": "0 2 0 * *"}, "spec.schedule", "a day of the month is 1 to 31"),
    Refusal("BorgSchedule", "day 32", {"schedule": "0 2 1,32 * *"}, "spec.schedule", "a day of the month is 1 to 31"),
    Refusal(
        "BorgSchedule", "month 13", {"schedule": "0 2 * 13 *"}, "spec.schedule", "a month is 1 to 12 or JAN to DEC"
    ),
    Refusal(
        "BorgSchedule",
        "weekday 8",
        {"schedule": "0 2 * * 8"},
        "spec.schedule",
        "a weekday is 0 (Sunday) to 6 (Saturday) or SUN to SAT",
    ),
    Refusal(
        "BorgSchedule",
        "a step of 0",
        {"schedule": "*/0 2 * * *"},
        "spec.schedule",
        "a step is a number of at least 1, for example */15",
    ),
    Refusal("BorgSchedule", "@reboot", {"schedule": "@reboot"}, "spec.schedule", DESCRIPTORS),
    Refusal("BorgSchedule", "@every in words", {"schedule": "@every 2 days"}, "spec.schedule", DESCRIPTORS),
    Refusal(
        "BorgSchedule", "a zone in the schedule", {"schedule": "TZ=Europe/Berlin 0 2 * * *"}, "spec.schedule", NO_ZONE
    ),
    Refusal(
        "BorgSchedule", "a CRON_TZ in the schedule", {"schedule": "CRON_TZ=UTC 0 2 * * *"}, "spec.schedule", NO_ZONE
    ),
    Refusal(
        "BorgSchedule",
        "a schedule of two lines",
        {"schedule": "0 2 * * *\n0 3 * * *"},
        "spec.schedule",
        'write the schedule on one line, for example "0 2 * * *"',
    ),
    Refusal(
        "BorgSchedule",
        "the zone Local",
        {"timeZone": "Local"},
        "spec.timeZone",
        '"Local" depends on the machine; name an IANA time zone, for example Europe/Berlin or Etc/UTC',
    ),
    Refusal("BorgSchedule", "a zone that is a path", {"timeZone": "../etc/passwd"}, "spec.timeZone", ZONE),
    Refusal("BorgSchedule", "a zone with a blank", {"timeZone": "Europe/New York"}, "spec.timeZone", ZONE),
    # --- into which repositories
    Refusal(
        "BorgSchedule",
        "no repository",
        {"repositoryRefs": []},
        "spec.repositoryRefs",
        "spec.repositoryRefs in body should have at least 1 items",
    ),
    Refusal(
        "BorgSchedule",
        "a repository twice",
        {"repositoryRefs": [{"name": "main"}, {"name": "main"}]},
        "spec.repositoryRefs",
        "name each repository once",
    ),
    Refusal(
        "BorgSchedule",
        "17 repositories",
        {"repositoryRefs": [{"name": f"r{n}"} for n in range(17)]},
        "spec.repositoryRefs",
        "must have at most 16 items",
    ),
    # --- what is kept
    Refusal(
        "BorgSchedule",
        "prune that would keep nothing",
        {"prune": {"enabled": True, "keepDaily": 0, "keepWeekly": 0, "keepMonthly": 0, "keepYearly": 0}},
        "spec.prune",
        "prune would delete every archive: give keepWithin or at least one keep* above 0",
    ),
    Refusal(
        "BorgSchedule",
        "prune of archives that could be anybody's",
        {"prune": {"enabled": True}, "archiveNameTemplate": "backup-{now}"},
        "spec.archiveNameTemplate",
        "prune is enabled, so the template must contain {job_name}: it tells this schedule's archives from all "
        "others, for example {job_name}-{now}",
    ),
    Refusal(
        "BorgSchedule",
        "minutes in keepWithin",
        {"prune": {"keepWithin": "90min"}},
        "spec.prune.keepWithin",
        KEEP_WITHIN,
    ),
    Refusal(
        "BorgSchedule", "keepWithin of nothing", {"prune": {"keepWithin": "0d"}}, "spec.prune.keepWithin", KEEP_WITHIN
    ),
    Refusal(
        "BorgSchedule",
        "a negative count",
        {"prune": {"keepDaily": -1}},
        "spec.prune.keepDaily",
        "spec.prune.keepDaily in body should be greater than or equal to 0",
    ),
    Refusal(
        "BorgSchedule",
        "a threshold over 100 percent",
        {"compact": {"threshold": 101}},
        "spec.compact.threshold",
        "spec.compact.threshold in body should be less than or equal to 100",
    ),
    # --- what archives and schedules are called
    Refusal(
        "BorgSchedule",
        "an unknown placeholder",
        {"archiveNameTemplate": "{hostname}-{now}"},
        "spec.archiveNameTemplate",
        PLACEHOLDERS,
    ),
    Refusal("BorgSchedule", "a stray brace", {"archiveNameTemplate": "{now"}, "spec.archiveNameTemplate", PLACEHOLDERS),
    Refusal(
        "BorgSchedule",
        "a slash in an archive's name",
        {"archiveNameTemplate": "a/{now}"},
        "spec.archiveNameTemplate",
        "Borg allows neither '/' nor '::' in an archive's name",
    ),
    Refusal(
        "BorgSchedule",
        "a control character in an archive's name",
        {"archiveNameTemplate": "a\t{now}"},
        "spec.archiveNameTemplate",
        "an archive's name cannot contain control characters",
    ),
    Refusal(
        "BorgSchedule",
        "a blank at the end of an archive's name",
        {"archiveNameTemplate": "{now} "},
        "spec.archiveNameTemplate",
        "an archive's name neither begins nor ends with a blank",
    ),
    Refusal(
        "BorgSchedule",
        "a name that looks like a checkpoint",
        {"archiveNameTemplate": "{now}.checkpoint"},
        "spec.archiveNameTemplate",
        "Borg marks unfinished archives with .checkpoint, so a name cannot contain it",
    ),
    Refusal(
        "BorgSchedule",
        "a name that looks like an archive that is written anew",
        {"archiveNameTemplate": "{now}.recreate"},
        "spec.archiveNameTemplate",
        "Borg marks archives that it writes anew with .recreate, so a name cannot end with it",
    ),
    Refusal(
        "BorgSchedule",
        "a title of blanks",
        {"title": "  "},
        "spec.title",
        "a title needs at least one character that is not blank; leave it out to use the resource's name",
    ),
    Refusal(
        "BorgSchedule",
        "a title of two lines",
        {"title": "Daily\nBackup"},
        "spec.title",
        "a title is one line without control characters",
    ),
    Refusal(
        "BorgSchedule",
        "a title of 254 characters",
        {"title": "t" * 254},
        "spec.title",
        "may not be more than 253 bytes",
    ),
    Refusal(
        "BorgSchedule",
        "a name that no CronJob can have",
        {},
        "metadata.name",
        "a schedule's CronJob has the same name, and Kubernetes allows a CronJob 52 characters: choose a shorter "
        "name and put the long one into spec.title",
        name="n" * 53,
    ),
    # --- how its runs run
    Refusal(
        "BorgSchedule",
        "a deadline that the CronJob controller would always miss",
        {"startingDeadlineSeconds": 5},
        "spec.startingDeadlineSeconds",
        "spec.startingDeadlineSeconds in body should be greater than or equal to 10",
    ),
    Refusal(
        "BorgSchedule",
        "no time to run",
        {"activeDeadlineSeconds": 0},
        "spec.activeDeadlineSeconds",
        "spec.activeDeadlineSeconds in body should be greater than or equal to 60",
    ),
    Refusal(
        "BorgSchedule",
        "no history",
        {"runHistoryLimit": 0},
        "spec.runHistoryLimit",
        "spec.runHistoryLimit in body should be greater than or equal to 1",
    ),
    Refusal(
        "BorgSchedule",
        "a history that fills etcd",
        {"runHistoryLimit": 101},
        "spec.runHistoryLimit",
        "spec.runHistoryLimit in body should be less than or equal to 100",
    ),
    Refusal(
        "BorgSchedule",
        "ReadAll as an ordinary user",
        {"job": {"fileAccess": "ReadAll", "runAsUser": 1000}},
        "spec.job.runAsUser",
        "fileAccess ReadAll means root, who alone may read every file: remove runAsUser",
    ),
    Refusal(
        "BorgSchedule",
        "root without ReadAll",
        {"job": {"runAsUser": 0}},
        "spec.job.runAsUser",
        "fileAccess Restricted forbids root: choose another user, or set fileAccess to ReadAll to read files of "
        "every owner",
    ),
    Refusal(
        "BorgSchedule",
        "an unknown file access",
        {"job": {"fileAccess": "Everything"}},
        "spec.job.fileAccess",
        'supported values: "Restricted", "ReadAll"',
    ),
    Refusal(
        "BorgSchedule",
        "an image that is a URL",
        {"job": {"image": "https://example.com/a b"}},
        "spec.job.image",
        "give an image reference, for example registry.example.com/borg-operator/runner:1.0 (no spaces, no https://)",
    ),
    Refusal(
        "BorgSchedule",
        "a label of the operator's own",
        {"job": {"labels": {"borgoperator.io/schedule": "x"}}},
        "spec.job.labels",
        OWN_KEYS,
    ),
    Refusal(
        "BorgSchedule",
        "an annotation of Kubernetes' own",
        {"job": {"annotations": {"batch.kubernetes.io/x": "y"}}},
        "spec.job.annotations",
        OWN_KEYS,
    ),
    Refusal(
        "BorgSchedule",
        "a label that is no label",
        {"job": {"labels": {"a b": "c"}}},
        "spec.job.labels",
        KEY,
    ),
    Refusal(
        "BorgSchedule",
        "a label's value with blanks",
        {"job": {"labels": {"team": "a b"}}},
        "spec.job.labels[team]",
        LABEL_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "memory that is no quantity",
        {"job": {"resources": {"limits": {"memory": "2 GB"}}}},
        "spec.job.resources.limits",
        QUANTITIES,
    ),
    Refusal(
        "BorgSchedule",
        "less memory than none",
        {"job": {"resources": {"requests": {"memory": -1}}}},
        "spec.job.resources.requests",
        QUANTITIES,
    ),
    Refusal(
        "BorgSchedule",
        "a resource that is none",
        {"job": {"resources": {"limits": {"ram": "2Gi"}}}},
        "spec.job.resources.limits",
        "a resource is cpu, memory, ephemeral-storage, hugepages-2Mi and the like, or one of a device with its domain, "
        "for example example.com/gpu",
    ),
    Refusal(
        "BorgSchedule",
        "a request above its limit",
        {"job": {"resources": {"requests": {"cpu": 2}, "limits": {"cpu": "1900m"}}}},
        "spec.job.resources",
        "a request is more than the limit of the same resource: raise the limit, or lower the request",
    ),
    Refusal(
        "BorgSchedule",
        "a label of nodes that is no label",
        {"job": {"nodeSelector": {"a.-b/disk": "ssd"}}},
        "spec.job.nodeSelector",
        KEY,
    ),
    Refusal(
        "BorgSchedule",
        "a label's value of nodes with blanks",
        {"job": {"nodeSelector": {"disk": "ssd or so"}}},
        "spec.job.nodeSelector[disk]",
        LABEL_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a taint's key that is none",
        {"job": {"tolerations": [{"key": "a/b/c"}]}},
        "spec.job.tolerations[0].key",
        KEY,
    ),
    Refusal(
        "BorgSchedule",
        "a taint's value that is none",
        {"job": {"tolerations": [{"key": "a", "value": "-"}]}},
        "spec.job.tolerations[0].value",
        LABEL_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a taint that exists with a value",
        {"job": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
        "spec.job.tolerations[0]",
        "with operator Exists there is no value: leave it out, or write Equal",
    ),
    Refusal(
        "BorgSchedule",
        "a toleration of nothing in particular",
        {"job": {"tolerations": [{}]}},
        "spec.job.tolerations[0]",
        "without a key, which is every taint, write operator Exists",
    ),
    Refusal(
        "BorgSchedule",
        "seconds of a toleration that evicts nobody",
        {"job": {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]}},
        "spec.job.tolerations[0]",
        "tolerationSeconds is for effect NoExecute only",
    ),
    Refusal(
        "BorgSchedule",
        "a priority class that cannot be",
        {"job": {"priorityClassName": "Low"}},
        "spec.job.priorityClassName",
        NAME,
    ),
    Refusal(
        "BorgSchedule",
        "a repository that cannot be",
        {"repositoryRefs": [{"name": "my_main"}]},
        "spec.repositoryRefs[0].name",
        NAME,
    ),
    Refusal(
        "BorgRepository",
        "a claim that cannot be",
        {"local.volume.persistentVolumeClaim.claimName": "../data"},
        "spec.local.volume.persistentVolumeClaim.claimName",
        NAME,
    ),
    Refusal(
        "BorgRepository",
        "a Secret that cannot be",
        {"encryption.passphraseSecretRef.name": "a..b"},
        "spec.encryption.passphraseSecretRef.name",
        NAME,
    ),
    Refusal(
        "BorgRepository",
        "a CSI driver that cannot be",
        {"local.volume": {"csi": {"driver": "smb/csi"}}},
        "spec.local.volume.csi.driver",
        NAME,
    ),
    Refusal("BorgRun", "a schedule that cannot be", {"scheduleRef.name": "Daily"}, "spec.scheduleRef.name", NAME),
    # --- scripts
    Refusal(
        "BorgSchedule",
        "a parameter with two values",
        {
            "hooks": {
                "preBackup": HOOK | {"parameters": [{"name": "A", "value": "b", "valueFrom": {"secretKeyRef": SECRET}}]}
            }
        },
        "spec.hooks.preBackup.parameters[0]",
        ONE_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a parameter without a value",
        {"hooks": {"postBackup": HOOK | {"parameters": [{"name": "A"}]}}},
        "spec.hooks.postBackup.parameters[0]",
        ONE_VALUE,
    ),
    Refusal(
        "BorgSchedule",
        "a parameter given twice",
        {"hooks": {"preBackup": HOOK | {"parameters": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}},
        "spec.hooks.preBackup.parameters[1]",
        'Duplicate value: {"name":"A"}',
    ),
    Refusal(
        "BorgSchedule",
        "a hook without a script",
        {"hooks": {"preBackup": {}}},
        "spec.hooks.preBackup.scriptRef",
        "Required value",
    ),
    Refusal(
        "BorgRepository",
        "a parameter that is no variable",
        {"hooks": {"preBackup": HOOK | {"parameters": [{"name": "MY-HOST", "value": "nas"}]}}},
        "spec.hooks.preBackup.parameters[0].name",
        PARAMETER,
    ),
    Refusal("BorgScript", "an empty script", {"content": " \n"}, "spec.content", "the script is empty"),
    Refusal(
        "BorgScript",
        "a NUL in a script",
        {"content": "echo \0"},
        "spec.content",
        "a script cannot contain a NUL character",
    ),
    Refusal(
        "BorgScript",
        "a script of 32,769 characters",
        {"content": "#" * 32769},
        "spec.content",
        "may not be more than 32768 bytes",
    ),
    Refusal(
        "BorgScript",
        "no time at all",
        {"timeoutSeconds": 0},
        "spec.timeoutSeconds",
        "spec.timeoutSeconds in body should be greater than or equal to 1",
    ),
    Refusal(
        "BorgScript",
        "a script that may run for days",
        {"timeoutSeconds": 86401},
        "spec.timeoutSeconds",
        "spec.timeoutSeconds in body should be less than or equal to 86400",
    ),
    Refusal(
        "BorgScript",
        "a parameter that begins with a digit",
        {"parameters": [{"name": "1ST"}]},
        "spec.parameters[0].name",
        PARAMETER,
    ),
    Refusal(
        "BorgScript",
        "a parameter that takes over PATH",
        {"parameters": [{"name": "PATH"}]},
        "spec.parameters[0].name",
        CLOBBER,
    ),
    Refusal(
        "BorgScript",
        "a parameter that preloads a library",
        {"parameters": [{"name": "LD_PRELOAD"}]},
        "spec.parameters[0].name",
        CLOBBER,
    ),
    Refusal(
        "BorgScript",
        "a parameter that borg would read",
        {"parameters": [{"name": "BORG_PASSPHRASE"}]},
        "spec.parameters[0].name",
        CLOBBER,
    ),
    Refusal(
        "BorgScript",
        "a password for everybody",
        {"parameters": [{"name": "TOKEN", "type": "Password", "default": "x"}]},
        "spec.parameters[0]",
        "a Password has no default, which everyone could read here: remove it, and give the value from a Secret "
        "where the script is used (valueFrom.secretKeyRef)",
    ),
    Refusal(
        "BorgScript",
        "a parameter declared twice",
        {"parameters": [{"name": "A"}, {"name": "A"}]},
        "spec.parameters[1]",
        'Duplicate value: {"name":"A"}',
    ),
    Refusal(
        "BorgScript",
        "an unknown type",
        {"parameters": [{"name": "A", "type": "Number"}]},
        "spec.parameters[0].type",
        'supported values: "Text", "Password"',
    ),
    # --- runs
    Refusal("BorgRun", "neither schedule nor repository", {"scheduleRef": None}, "spec", ONE_SUBJECT),
    Refusal(
        "BorgRun",
        "a schedule and a repository",
        {"repositoryRef": {"name": "main"}, "operation": "Check"},
        "spec",
        ONE_SUBJECT,
    ),
    Refusal(
        "BorgRun",
        "a backup that no schedule describes",
        {"scheduleRef": None, "repositoryRef": {"name": "main"}},
        "spec.operation",
        NEEDS_SCHEDULE,
    ),
    Refusal(
        "BorgRun",
        "a prune that no schedule describes",
        {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": "Prune"},
        "spec.operation",
        NEEDS_SCHEDULE,
    ),
    Refusal(
        "BorgRun",
        "a repository whose name none can have",
        {"scheduleRef": None, "repositoryRef": {"name": "n" * 64}, "operation": "List"},
        "spec.repositoryRef.name",
        "may not be more than 63 bytes",
    ),
    Refusal(
        "BorgRun",
        "a drill of a schedule",
        {"operation": "Drill"},
        "spec.operation",
        "a drill is of a repository, and of all schedules in it: give repositoryRef",
    ),
    Refusal(
        "BorgRun",
        "an unknown operation",
        {"operation": "Repair"},
        "spec.operation",
        'supported values: "Backup", "Prune", "Compact", "Check", "Drill", "List", "BreakLock", "Preview", "Restore"',
    ),
    Refusal(
        "BorgRun",
        "a name that no Job's pod can have",
        {},
        "metadata.name",
        "the run's Job and its pods' labels have the same name, which Kubernetes limits to 63 characters",
        name="n" * 64,
    ),
    Refusal(
        "BorgSession",
        "one that nobody could use before it ends",
        {"idleSeconds": 7200, "maxSeconds": 3600},
        "spec.idleSeconds",
        "it ends after maxSeconds in any case: give an idleSeconds of at most that",
    ),
    Refusal(
        "BorgSession",
        "one for ever",
        {"maxSeconds": 86401},
        "spec.maxSeconds",
        "should be less than or equal to 86400",
    ),
    Refusal(
        "BorgSession",
        "a name that no pod's label can have",
        {},
        "metadata.name",
        "the session's pod bears its name in a label, which Kubernetes limits: give a name of at most 63 characters",
        name="n" * 64,
    ),
)

ACCEPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "a session with its defaults": ("BorgSession", {}),
    "a session for a working day": ("BorgSession", {"idleSeconds": 28800, "maxSeconds": 28800}),
    "a minimal local repository": ("BorgRepository", {}),
    "a restore into a command": ("BorgRestore", {}),
    "one dump beside volumes": (
        "BorgSchedule",
        {
            "sources": [
                {"name": "data", "volume": CLAIM},
                {
                    "name": "a" * 56,
                    "dump": DUMP
                    | {
                        "args": ["a b", ""],
                        "env": [{"name": "A", "value": ""}, {"name": "B", "valueFrom": FROM_SECRET}],
                        "path": "a/..b/c d",
                    },
                },
            ]
        },
    ),
    "eight dumps without volumes": ("BorgSchedule", {"sources": [{"name": n, "dump": DUMP} for n in "abcdefgh"]}),
    "an unencrypted repository": ("BorgRepository", {"encryption": {"mode": "none"}}),
    "a repository over SSH": ("BorgRepository", {"local": None, "ssh": SSH}),
    "an SSH repository by IPv6 address": (
        "BorgRepository",
        {"local": None, "ssh": SSH | {"url": "ssh://borg@[2001:db8::1]:22/srv/my backups", "remotePath": "borg-1.4"}},
    ),
    "every kind of copy": (
        "BorgRepository",
        {
            "sources": [
                {"name": "plain", "volume": CLAIM, "copy": "None"},
                {"name": "host", "volume": {"hostPath": {"path": "/srv"}}, "copy": "None"},
                {"name": "clone", "volume": CLAIM, "copy": "Clone"},
                {"name": "snapshot", "volume": CLAIM, "copy": "Snapshot"},
                {"name": "many", "claimSelector": {}, "copy": "Clone"},
            ]
        },
    ),
    "every kind of volume": (
        "BorgRepository",
        {
            "local.path": "borg/main",
            "cache": {"nfs": {"server": "nas", "path": "/cache"}},
            "sources": [
                {"name": "data", "volume": {"persistentVolumeClaim": {"claimName": "a", "readOnly": True}}},
                {
                    "name": "host",
                    "volume": {"hostPath": {"path": "/srv", "type": "Directory"}},
                    "paths": ["./a", "..b"],
                },
                {
                    "name": "smb",
                    "volume": {
                        "csi": {
                            "driver": "smb.csi.k8s.io",
                            "readOnly": True,
                            "fsType": "cifs",
                            "volumeAttributes": {"source": "//nas/share"},
                            "nodePublishSecretRef": {"name": "smb"},
                        }
                    },
                    "paths": ["a\nb", "-x", "…"],
                },
            ],
        },
    ),
    "claims by their labels": (
        "BorgRepository",
        {
            "sources": [
                {"name": "every", "claimSelector": {}, "paths": ["a"]},
                {"name": "named", "volume": CLAIM},
                {
                    "name": "chosen",
                    "claimSelector": {
                        "matchLabels": {"backup": "nightly", "example.com/tier": ""},
                        "matchExpressions": [
                            {"key": "a", "operator": "In", "values": ["b", ""]},
                            {"key": "a", "operator": "NotIn", "values": ["c"]},
                            {"key": "example.com/d", "operator": "Exists"},
                            {"key": "e", "operator": "DoesNotExist", "values": []},
                        ],
                    },
                },
            ]
        },
    ),
    "patterns of every style": (
        "BorgRepository",
        {
            "exclude": [
                *(
                    "*.tmp",
                    "/sources/data/cache/",
                    "*/cache",
                    "s*/x",
                    "fm:*/aa:b",
                    "./sources/x",
                    "*.tmp ",
                    "/",
                ),
                *("sh:**/cache", "sh:*/*/x", "sh:sources/**/x", "sh:s[o]urces/x", r"re:\.bak$", "re:^/a|b", "re:^s?o"),
                *("pp:sources/data/x", "pp:/sources", "pf:sources/data/y"),
            ]
        },
    ),
    "the longest repository name": ("BorgRepository", {}),
    "a minimal schedule": ("BorgSchedule", {}),
    "a schedule with all that there is": (
        "BorgSchedule",
        {
            "title": "Täglich 🕑",
            "description": "Ask the storage team.",
            "timeZone": "America/Argentina/Buenos_Aires",
            "suspend": True,
            "repositoryRefs": [{"name": f"r{n}"} for n in range(16)],
            "sources": [{"name": "data", "volume": CLAIM, "paths": ["a", "b/c"]}],
            "archiveNameTemplate": "{job_name}.{repo_name}_{date} {time} {timestamp} {now}",
            "runRepositoryHooks": True,
            "hooks": {
                "preBackup": HOOK | {"parameters": [{"name": "HOST", "value": "a 'b' \"c\" $(d)\n"}]},
                "postBackup": HOOK | {"parameters": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": SECRET}}]},
            },
            "prune": {"enabled": True, "keepWithin": "2w", "keepHourly": 24},
            "compact": {"enabled": True, "threshold": 0},
            "startingDeadlineSeconds": 10,
            "activeDeadlineSeconds": 3600,
            "runHistoryLimit": 100,
            "job": {
                "fileAccess": "ReadAll",
                "runAsUser": 0,
                "runAsGroup": 0,
                "fsGroup": 1000,
                "image": "registry.example.com:5000/borg/runner@sha256:" + "0" * 64,
                "imagePullPolicy": "Always",
                "imagePullSecrets": [{"name": "registry"}],
                "resources": {"requests": {"cpu": 1, "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
                "nodeSelector": {"kubernetes.io/arch": "amd64"},
                "tolerations": [{"key": "backup", "operator": "Exists", "effect": "NoSchedule"}],
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}},
                "priorityClassName": "low",
                "labels": {"example.com/team": "storage"},
                "annotations": {"note": "any text, even with blanks"},
            },
        },
    ),
    "a null where a value is optional": ("BorgSchedule", {"activeDeadlineSeconds": "null", "title": "null"}),
    "a prune that only keepWithin limits": (
        "BorgSchedule",
        {
            "prune": {
                "enabled": True,
                "keepWithin": "12H",
                "keepDaily": 0,
                "keepWeekly": 0,
                "keepMonthly": 0,
                "keepYearly": 0,
            }
        },
    ),
    "a template without {job_name} while prune is off": ("BorgSchedule", {"archiveNameTemplate": "{now}"}),
    "a script with parameters": (
        "BorgScript",
        {
            "description": "Wakes the NAS.",
            "timeoutSeconds": 86400,
            "parameters": [
                {"name": "LDAP_HOST", "required": True, "description": "Its name."},
                {"name": "BORGBASE_TOKEN", "type": "Password"},
                {"name": "_port", "default": ""},
            ],
        },
    ),
    "a minimal run": ("BorgRun", {}),
    "a check": ("BorgRun", {"operation": "Check"}),
    **{
        f"{operation} on a repository alone": (
            "BorgRun",
            {"scheduleRef": None, "repositoryRef": {"name": "main"}, "operation": operation},
        )
        for operation in ("Check", "Compact", "Drill", "List", "BreakLock")
    },
    "a list of a schedule's archives": ("BorgRun", {"operation": "List"}),
    "a repository that is checked in slices and drilled": (
        "BorgRepository",
        {
            "verification": {
                "check": {"schedule": "H 3 * * 0", "maxDuration": "1h", "verifyDataEvery": "30d"},
                "drill": {"schedule": "H 5 * * 6", "sample": 10, "maxBytes": "5Gi", "minFiles": 1, "maxAge": "48h"},
            }
        },
    ),
    "a repository that is checked on Sundays": (
        "BorgRepository",
        {"verification": {"check": {"schedule": "0 3 * * SUN", "timeZone": "Europe/Berlin"}}},
    ),
    "a verification of nothing": ("BorgRepository", {"verification": {}}),
}

COMPRESSIONS = (
    "none", "lz4", "zstd", "zstd,1", "zstd,22", "zlib", "zlib,0", "lzma,9", "auto,lz4", "auto,zstd,10",
    "obfuscate,3,none", "obfuscate,110,auto,zstd,3",
)  # fmt: skip

SCHEDULES = (
    "0 2 * * *", "*/15 8-18 * * MON-FRI", "0 2 * JAN MON-FRI", "0 2 ? * ?", "*/2 * * * *", "1-5/2,7 * * * *",
    "5/10 * * * *", "0 0 1,15 * 0", "0 0 * jan-dec/2 sun,Sat", "0  2\t* * *", " 0 2 * * * ", "00 02 01 01 00",
    "59 23 31 12 6", "0 2 * * */7", "0 2 * * 1/7", "0 2 * * 0-6/2", "*/99 * * * *", "7 7 7 7 6", "0 2 */8 * *",
    "+5 2 * * *", "1,,2 2 * * *", "*-70 2 * * *", "?/5 2 * * *", "0 2 * JUL WED", "0 2 * MAR-JUN THU",
    "0\xa02 * * *", "0 2\u2003* * *", "\u30000 2 * * *\u2028",
    "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly",
    "@every 1h30m", "@every 90s", "@every 1.5h", "@every 10m0.5s", "@every 1µs",
)  # fmt: skip
"""What a CronJob takes. The test asks the CronJob API as well, so the list cannot be wrong."""


HASHED = (
    "H 2 * * *", "H H * * *", "H/15 * * * *", "H(0-29)/10 * * * *", "H H(1-5) * * *", "H H H * *",
    "H H(22-23) H(1-7) * *", "H H * * H", "H H * H H",
    "H H H(1-28)/7 H/3 MON-FRI", "0,H(30-40) H * * THU", "  H\t2 * * MON,H ", "H/7 H/5 * * *",
    "H/90 H/90 H/90 H/90 H/90", "H(59-59) H(23-23) H(28-28) H(12-12) H(6-6)",
)  # fmt: skip
"""What a BorgSchedule may have and a CronJob may not, until it is resolved."""
