"""What each borg verb is called with: vectors, nothing that a shell or borg's placeholders could expand."""

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, RunPlan, SecretFile, SourcePlan, SshPlan
from borg_contract.restore.sizes import describe_size
from borg_contract.retention import Retention
from borg_contract.run import Operation, Phase
from borg_runner.borg.client import Borg
from borg_runner.borg.invocation import make_borg_environment, make_connection_arguments
from borg_runner.borg.message import BorgMessage, parse_message
from borg_runner.borg.outcome import BorgOutcome
from borg_runner.interruption import Interruption
from borg_runner.locks.wait import LockWait
from borg_runner.log import Log
from borg_runner.ssh.command import make_rsh
from borg_runner.ssh.probe import make_probe_arguments
from borg_runner.verbs.break_lock import make_break_lock_arguments
from borg_runner.verbs.check import make_check_arguments
from borg_runner.verbs.compact import DEFAULT_THRESHOLD, make_compact_arguments, parse_freed_bytes
from borg_runner.verbs.create import Request, make_comment_arguments, make_create_arguments, make_rename_arguments
from borg_runner.verbs.delete import make_delete_arguments
from borg_runner.verbs.info import RepositorySizes, make_info_arguments, parse_info_output
from borg_runner.verbs.init import make_init_arguments
from borg_runner.verbs.list import (
    make_held_arguments,
    make_list_arguments,
    parse_list_output,
    parse_names_output,
)
from borg_runner.verbs.repository import Repository
from borg_runner.work.operation import Surroundings, work_on_repository

LOCAL = RepositoryPlan("main", "/repositories/main", "repokey-blake2", (SourcePlan("data"),))
KEY, HOSTS = SecretFile("/run/key", "ssh", "key"), SecretFile("/run/hosts", "ssh", "hosts")
REMOTE = replace(LOCAL, location="ssh://u@h:22/./main", ssh=SshPlan(KEY, HOSTS), remote_path="borg-1.4")
COMMON = ["--log-json", "--lock-wait", "7"]


def create(repository: RepositoryPlan) -> list[str]:
    return make_create_arguments(repository, Request("db-1", ["/sources/data"], "c"), lock_wait=7)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            create(LOCAL),
            ["create", *COMMON, "--progress", "--json", "--comment=c", "/repositories/main::db-1", "/sources/data"],
        ),
        (
            create(replace(LOCAL, compression="zstd,3", exclude=("*.tmp", "-x", "{hostname}"))),
            [
                *["create", *COMMON, "--progress", "--json", "--comment=c", "--compression=zstd,3"],
                *["--list", "--filter=x", "--exclude=*.tmp", "--exclude=-x", "--exclude={hostname}"],
                *["/repositories/main::db-1", "/sources/data"],
            ],
        ),
        (
            make_init_arguments(LOCAL, lock_wait=7)[-3:],
            ["--encryption=repokey-blake2", "--make-parent-dirs", LOCAL.location],
        ),
        (make_init_arguments(REMOTE, lock_wait=7)[-2:], ["--encryption=repokey-blake2", REMOTE.location]),
        (
            make_compact_arguments(LOCAL, threshold=30, lock_wait=7),
            ["compact", *COMMON, "--info", "--progress", "--threshold=30", LOCAL.location],
        ),
        (make_check_arguments(LOCAL, lock_wait=7), ["check", *COMMON, "--info", "--progress", LOCAL.location]),
        (make_break_lock_arguments(LOCAL), ["break-lock", "--log-json", "--lock-wait", "1", LOCAL.location]),
        (
            make_list_arguments(LOCAL, lock_wait=7),
            ["list", *COMMON, "--json", "--consider-checkpoints", LOCAL.location],
        ),
        (make_info_arguments(LOCAL, lock_wait=7), ["info", *COMMON, "--json", LOCAL.location]),
        (
            make_connection_arguments(replace(REMOTE, upload_rate_limit_kib=512), lock_wait=7),
            [*COMMON, "--remote-path=borg-1.4", "--upload-ratelimit", "512"],
        ),
        (
            make_comment_arguments(LOCAL, "db-1", "a {b}", lock_wait=7),
            ["recreate", *COMMON, "--comment=a {{b}}", f"{LOCAL.location}::db-1"],
        ),
        (
            make_rename_arguments(LOCAL, "-1.recreate", "-1", lock_wait=7),
            ["rename", *COMMON, "--", f"{LOCAL.location}::-1.recreate", "-1"],
        ),
        (
            make_held_arguments(LOCAL, "db-1", "/sources/re:x", lock_wait=7),
            ["list", *COMMON, "--format={type}{NL}", f"{LOCAL.location}::db-1", "pp:/sources/re:x"],
        ),
    ],
)
def test_arguments_are_these(arguments: list[str], expected: list[str]) -> None:
    assert arguments == expected


def test_braces_in_a_location_are_not_borgs_placeholders() -> None:
    repository = replace(LOCAL, location="/repositories/{hostname}")
    assert create(repository)[-2] == "/repositories/{{hostname}}::db-1"
    assert make_info_arguments(repository, lock_wait=1)[-1] == "/repositories/{{hostname}}"


@pytest.mark.parametrize(
    ("encryption", "answer"),
    [
        ("none", "yes"),
        ("authenticated", "yes"),
        ("authenticated-blake2", "yes"),
        ("repokey", "no"),
        ("repokey-blake2", "no"),
    ],
)
def test_an_unknown_plaintext_repository_is_accepted_only_where_it_is_meant(encryption: str, answer: str) -> None:
    environment = make_borg_environment(
        replace(LOCAL, encryption=encryption), base_dir="/b", schedule="db", host_id="h", rsh=None
    )
    assert environment["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] == answer
    assert environment["BORG_HOST_ID"] == "h"
    assert not {"BORG_PASSPHRASE", "BORG_PASSCOMMAND", "BORG_RSH"} & environment.keys()


def test_ssh_takes_one_key_and_pinned_hosts_and_never_prompts() -> None:
    rsh = make_rsh(key_path="/tmp/k", known_hosts_path="/run/h")
    assert rsh.startswith("ssh -F /dev/null -i /tmp/k ")
    for option in (
        "StrictHostKeyChecking=yes",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "GlobalKnownHostsFile=/dev/null",
    ):
        assert f"-o {option}" in rsh


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("ssh://u@h:2222/./main", ["-p", "2222", "u@h"]),
        ("ssh://h/main", ["h"]),
        ("ssh://u@[2001:db8::1]:22/main", ["-p", "22", "u@2001:db8::1"]),
        ("ssh://nas@[::1]/main", ["nas@::1"]),
    ],
)
def test_the_probe_reaches_the_server_as_borg_does(location: str, expected: list[str]) -> None:
    arguments = make_probe_arguments(replace(REMOTE, location=location), "ssh -F '/dev/my null'")
    assert list(arguments) == ["ssh", "-F", "/dev/my null", *expected, "borg-1.4", "--version"]


def test_schedules_that_share_a_cache_keep_their_own_lists_of_files_and_work_without_a_schedule_has_none() -> None:
    def suffix(schedule: str) -> str | None:
        environment = make_borg_environment(LOCAL, base_dir="/b", schedule=schedule, host_id=None, rsh=None)
        assert "BORG_HOST_ID" not in environment
        return environment.get("BORG_FILES_CACHE_SUFFIX")

    assert suffix("db") == "db"
    assert suffix("") is None


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536 * 1024, "1.5 MiB"), (1 << 60, "1024.0 PiB")],
)
def test_sizes_read_well(size: int, expected: str) -> None:
    assert describe_size(size) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("usage: borg", BorgMessage("log_message", "ERROR", "usage: borg", logger="plain")),
        ("{not json", BorgMessage("log_message", "ERROR", "{not json", logger="plain")),
        (
            '{"type":"log_message","levelname":"WARNING","message":"m","name":"n","msgid":"i"}',
            BorgMessage("log_message", "WARNING", "m", "i", "n"),
        ),
        ('{"type":"archive_progress","finished":true}', BorgMessage("archive_progress")),
        (
            '{"type":"archive_progress","original_size":2048,"compressed_size":1024,"deduplicated_size":1,"nfiles":1200,"path":"a\\nb"}',
            BorgMessage(
                "archive_progress", progress="1,200 files, 2.0 KiB read, 1.0 KiB compressed, 1 B new, now at a\\x0ab"
            ),
        ),
        (
            '{"type":"progress_percent","msgid":"prune","message":"50%"}',
            BorgMessage("progress_percent", msgid="prune", progress="50%"),
        ),
    ],
)
def test_each_line_of_borg_is_understood(line: str, expected: BorgMessage) -> None:
    assert parse_message(line) == expected


def note(text: str, logger: str = "borg.output.list") -> BorgMessage:
    return BorgMessage("log_message", "INFO", text, logger=logger)


@pytest.mark.parametrize("names", [[], [""], ["db-1", ""]])
def test_a_delete_without_an_archive_which_would_be_the_repository_is_never_asked_for(names: list[str]) -> None:
    with pytest.raises(ValueError, match="the repository"):
        make_delete_arguments(LOCAL, names, lock_wait=7)


def test_archives_are_deleted_by_name() -> None:
    arguments = make_delete_arguments(LOCAL, ["-a", "b c"], lock_wait=7)
    assert arguments == ["delete", *COMMON, "--progress", "--", "/repositories/main", "-a", "b c"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("compaction freed about 992 B repository space.", 992),
        ("compaction freed about 1.23 MB repository space.", 1_230_000),
        ("Remote: compaction freed about 4.00 kB repository space.", 4000),
        ("compaction freed about -12 B repository space.", 0),
        ("something else", None),
    ],
)
def test_freed_space_is_read_from_borgs_words(text: str, expected: int | None) -> None:
    assert parse_freed_bytes([note(text, "borg.repository")]) == expected


def test_list_and_info_tell_how_many_archives_there_are_and_how_large_they_are() -> None:
    output = (
        '{"archives": [{"archive": "a", "id": "1", "time": "2026-01-02T03:04:05.000000"},'
        '{"archive": "b.checkpoints", "id": "2", "time": "2026-01-03"},'
        '{"archive": "b.checkpoint", "id": "3", "time": "2026-01-03"},'
        '{"archive": "b.checkpoint.1", "id": "4", "time": "2026-01-03"}]}'
    )
    times = {name: archive.time for name, archive in parse_list_output(output).items()}
    assert times == {"a": "2026-01-02T03:04:05Z", "b.checkpoints": "2026-01-03T00:00:00Z"}
    assert parse_names_output(output) == {"1": "a", "2": "b.checkpoints"}
    output = '{"cache": {"stats": {"total_size": 30, "unique_csize": 20}}, "repository": {"id": "ab"}}'
    assert parse_info_output(output) == RepositorySizes(original=30, deduplicated=20, repository_id="ab")


@dataclass(kw_only=True)
class FreeLocks(LockWait):
    """Locks that nobody holds, with a borg that only notes what it is asked for."""

    asked: list[list[str]] = field(default_factory=list)

    def run(
        self,
        borg: Borg,  # noqa: ARG002 - a stand-in takes what LockWait takes
        make_arguments: Callable[[int], list[str]],
        *,
        seconds: int | None = None,  # noqa: ARG002
        on_note: Callable[[BorgMessage], None] | None = None,  # noqa: ARG002
        asks_why: bool = True,  # noqa: ARG002
    ) -> BorgOutcome:
        self.asked.append(make_arguments(7))
        return BorgOutcome(exit_code=0)


def test_a_prune_that_cannot_see_whose_the_archives_are_deletes_nothing(tmp_path: Path) -> None:
    log = Log(io.StringIO())
    locks = FreeLocks(location="/r", base_dir=tmp_path, seconds=1, host_id=None, dead_holders=frozenset(), log=log)
    borg = Borg(environment={}, passphrase=None, log=log, interruption=Interruption(1.0))
    plan = RunPlan("team", Operation.PRUNE, (LOCAL,), schedule="db", prune=Retention.only(keep_daily=1))
    repository = Repository(plan=LOCAL, borg=borg, locks=locks, log=log)
    result = work_on_repository(plan, repository, Surroundings(sources_root=tmp_path, run="now"))
    assert (result.phase, result.reason) == (Phase.FAILED, "InternalError")
    assert [arguments[0] for arguments in locks.asked] == ["list"]


@pytest.mark.parametrize(("threshold", "asked"), [(0, 0), (30, 30), (None, DEFAULT_THRESHOLD)])
def test_a_compact_run_has_the_threshold_that_was_asked_for(threshold: int | None, asked: int, tmp_path: Path) -> None:
    log = Log(io.StringIO())
    locks = FreeLocks(location="/r", base_dir=tmp_path, seconds=1, host_id=None, dead_holders=frozenset(), log=log)
    borg = Borg(environment={}, passphrase=None, log=log, interruption=Interruption(1.0))
    plan = RunPlan("team", Operation.COMPACT, (LOCAL,), compact_threshold=threshold)
    repository = Repository(plan=LOCAL, borg=borg, locks=locks, log=log)
    result = work_on_repository(plan, repository, Surroundings(sources_root=tmp_path, run="now"))
    # Borg's silence is that of an append-only repository.
    assert result.phase is Phase.COMPLETED_WITH_WARNINGS
    assert [text for text in locks.asked[0] if text.startswith("--threshold")] == [f"--threshold={asked}"]
