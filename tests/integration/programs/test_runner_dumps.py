"""The runner with a real borg, and dumps that real processes write, as those of other containers would."""

import base64
import gzip
import os
import signal
import time
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, SourcePlan
from borg_contract.run import Phase
from runner_kit.pod import Ended, Pod, wait_until
from runner_kit.streams import container, dump, prepare, shell

DATA = SourcePlan("data")


def failed(ended: Ended) -> tuple[str, str]:
    """Return reason and error of a run whose only repository failed."""
    [result] = ended.result.repositories
    assert result.phase is Phase.FAILED, ended.log
    return result.reason or "", result.error or ""


def content(pod: Pod, repository: RepositoryPlan, archive: str, name: str) -> str:
    path = f"{pod.root}/sources/{name}".lstrip("/")
    return pod.ask_borg(repository, "extract", "--stdout", f"REPO::{archive}", path)


def nothing_is_left(pod: Pod, repository: RepositoryPlan) -> bool:
    return not pod.ask_borg(repository, "list", "--short", "--consider-checkpoints", "REPO").split()


def test_a_dump_is_a_file_of_the_archive_beside_volumes(pod: Pod) -> None:
    repository = pod.repository(sources=(DATA, dump()), exclude=("*.dump", "*.tmp"))
    (pod.data / "a.tmp").write_text("left out")
    with shell(pod, "db", "echo to the log >&2; echo all of it"):
        ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert (result.phase, result.files) == (Phase.COMPLETED, 2), ended.log
    assert "[db] to the log\n" in ended.log
    assert content(pod, repository, result.archive or "", "db/app.dump") == "all of it\n"
    assert content(pod, repository, result.archive or "", "data/hello.txt") == "hello\n"
    assert "files=data:2,db:1" in (result.comment or "")


def test_several_dumps_are_files_of_one_archive_one_after_the_other(pod: Pod) -> None:
    repository = pod.repository(sources=(dump("one", "a/1.sql"), dump("two", "2.sql"), dump("three", "3.sql")))
    order = pod.root / "order"
    script = f"echo begin $NAME >>{order}; echo this is $NAME; echo end $NAME >>{order}"
    with (
        shell(pod, "one", script, NAME="1"),
        shell(pod, "two", script, NAME="2"),
        shell(pod, "three", script, NAME="3"),
    ):
        ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert (result.phase, result.files) == (Phase.COMPLETED, 3), ended.log
    names = ("one/a/1.sql", "two/2.sql", "three/3.sql")
    found = [content(pod, repository, result.archive or "", name) for name in names]
    assert found == ["this is 1\n", "this is 2\n", "this is 3\n"]
    assert order.read_text().split("\n")[:-1] == [f"{word} {n}" for n in (1, 2, 3) for word in ("begin", "end")]


FAILURES = {
    "exits": ("echo half; echo 'FATAL: password authentication failed' >&2; exit 1",
              ["dump-it failed with exit code 1", "Its last words: FATAL: password authentication failed"]),
    "is killed": ("echo half; kill -9 $$", ["dump-it was killed by signal 9"]),
    "is not there": ("exec /nowhere/pg_dump",
                     ["code 127: it, or a program that it calls, is not in its image", "/nowhere/pg_dump: not found"]),
    "leaves its output open": ("setsid sleep 90 & echo half",
                               ["left something running that keeps its output open, without a word for 60 s"]),
    "fails, and something goes on writing": ("while sleep 0.1; do echo more; echo more >&2; done & echo half; exit 3",
                                             ["dump-it failed with exit code 3"]),
    "is killed, and something goes on writing": ("while sleep 0.1; do echo more; done & echo half; kill -9 $$",
                                                 ["dump-it was killed by signal 9"]),
    "is killed, and something heeds no TERM": ("trap '' TERM; sleep 600 & echo half; kill -9 $$",
                                               ["dump-it was killed by signal 9"]),
    "says its last words by another": ("exec bash -c 'exec 2> >(sleep 1; cat >&2); echo the end >&2; exit 3'",
                                       ["failed with exit code 3", "Its last words: the end. Nothing was archived."]),
    "writes nothing": ("exit 0", ["ended well, but wrote nothing"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_a_dump_that_fails_leaves_no_archive_and_says_why(pod: Pod, name: str) -> None:
    script, words = FAILURES[name]
    repository = pod.repository(sources=(DATA, dump()))
    with shell(pod, "db", script):
        ended = pod.run(pod.plan(repository))
    reason, error = failed(ended)
    assert reason == "DumpFailed", error
    assert all(word in error for word in ('Dump "db": ', *words, "Nothing was archived.")), error
    assert nothing_is_left(pod, repository)


LATE = {
    "a child": ("for i in 1 2 3; do echo line $i; sleep 0.5; done & sleep 0.7; exit 0", "line 1\nline 2\nline 3\n"),
    "a child after all else": ("echo main; (sleep 7; echo late) & exit 0", "main\nlate\n"),
    "a child alone": ("(sleep 1; echo late) & exec >&-; exit 0", "late\n"),
    "a child that heeds no TERM": ("trap '' TERM; (sleep 1; echo late) & exit 0", "late\n"),
    "another session": ("setsid sh -c 'sleep 1; echo late' & exit 0", "late\n"),
    "nobody, and errors are held open": ("setsid sleep 60 >/dev/null & echo main", "main\n"),
    "nobody, and one of the group works on": ("sleep 600 >/dev/null 2>&1 & echo main", "main\n"),
    "a substituted process": ("exec bash -c 'echo main > >(sleep 1; cat; sleep 1; echo END)'", "main\nEND\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(LATE))
def test_what_is_written_after_the_command_has_ended_is_of_the_dump(pod: Pod, name: str) -> None:
    script, written = LATE[name]
    repository = pod.repository(sources=(dump(),))
    with shell(pod, "db", script):
        ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert result.phase is Phase.COMPLETED, ended.log
    assert content(pod, repository, result.archive or "", "db/app.dump") == written


def test_a_dump_that_is_compressed_on_its_way_is_whole(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    with container(pod, "db", "bash", "-c", "head -c 3000000 /dev/urandom > >(gzip | base64)"):
        ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert result.phase is Phase.COMPLETED, ended.log
    compressed = base64.b64decode(content(pod, repository, result.archive or "", "db/app.dump"))
    assert len(gzip.decompress(compressed)) == 3_000_000


def test_what_a_dump_leaves_running_is_ended_before_the_next_one_begins(pod: Pod) -> None:
    first, second = (pod.repository(name, sources=(dump(),)) for name in ("first", "second"))
    script = (
        "test -e pid && kill -0 $(cat pid) 2>/dev/null && exit 5; sleep 600 >/dev/null 2>&1 & echo $! >pid; echo good"
    )
    with shell(pod, "db", script):
        ended = pod.run(pod.plan(first, second))
    assert [item.phase for item in ended.result.repositories] == [Phase.COMPLETED] * 2, ended.log


def test_a_container_that_dies_while_another_writes_for_its_command_fails_the_dump(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    with shell(pod, "db", "helper=$PPID; (sleep 1; echo half; kill -9 $helper) & exit 0"):
        reason, error = failed(pod.run(pod.plan(repository)))
    assert (reason, "had not ended when its container did" in error) == ("DumpFailed", True), error
    assert nothing_is_left(pod, repository)


def test_a_run_that_is_stopped_while_another_writes_for_the_command_leaves_nothing(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    pid = pod.root / "run/borg/streams/db/pid"
    with shell(pod, "db", "sh -c 'echo half; echo $$ >pid; exec sleep 600' & exit 0"):
        with pod.running(pod.plan(repository)) as runner:
            wait_until(lambda: pid.exists() and pid.read_text().strip())
            runner.send_signal(signal.SIGTERM)
            ended = pod.wait(runner)
        assert failed(ended)[0] == "Interrupted"
        assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert nothing_is_left(pod, repository)


def test_a_command_that_no_shell_looks_for_is_told_by_name(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    with container(pod, "db", "pg_dumb", "--format=custom"):
        reason, error = failed(pod.run(pod.plan(repository)))
    assert reason == "DumpFailed"
    assert "pg_dumb: No such file or directory" in error


def test_one_of_several_that_fails_leaves_no_archive_and_the_rest_does_not_begin(pod: Pod) -> None:
    repository = pod.repository(sources=(dump("one", "1"), dump("two", "2"), dump("three", "3")))
    began = pod.root / "began"
    with (
        shell(pod, "one", "echo good"),
        shell(pod, "two", "head -c 3000000 /dev/urandom; exit 3"),
        shell(pod, "three", f"touch {began}; echo good"),
    ):
        reason, error = failed(pod.run(pod.plan(repository)))
    assert (reason, 'Dump "two": dump-it failed with exit code 3' in error) == ("DumpFailed", True)
    assert not began.exists()
    assert nothing_is_left(pod, repository)


def test_each_repository_gets_a_dump_of_its_own_and_one_that_fails_does_not_stop_the_next(pod: Pod) -> None:
    first, second = (pod.repository(name, sources=(dump(),)) for name in ("first", "second"))
    script = "echo x >>runs; test $(wc -l <runs) = 2 || exit 1; echo good"
    with shell(pod, "db", script):
        ended = pod.run(pod.plan(first, second))
    one, two = ended.result.repositories
    assert (one.reason, two.phase) == ("DumpFailed", Phase.COMPLETED), ended.log
    assert content(pod, second, two.archive or "", "db/app.dump") == "good\n"


def test_the_dump_begins_only_when_borg_has_the_lock(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    with shell(pod, "db", "touch began; echo good"):
        assert pod.run(pod.plan(repository)).result.phase is Phase.COMPLETED
    began = pod.root / "run/borg/streams/db/began"
    began.unlink()
    lock = Path(repository.location) / "lock.exclusive"
    lock.mkdir()
    (lock / "elsewhere@1.1-0").touch()
    with shell(pod, "db", "touch began; echo good"):
        reason, _ = failed(pod.run(pod.plan(repository, lock_wait_seconds=3, archive_name_template="{job_name}-2")))
    assert reason == "Locked"
    assert not began.exists()


def test_passwords_of_a_dump_are_concealed_and_a_missing_one_is_told_first(pod: Pod) -> None:
    secret = pod.secret("app-db", "password", "canary-4711")
    repository = pod.repository(sources=(dump(secrets={"PGPASSWORD": secret}),))
    with shell(pod, "db", 'echo "password $PGPASSWORD is wrong" >&2; exit 1', PGPASSWORD="canary-4711"):
        ended = pod.run(pod.plan(repository))
    assert "Its last words: password *** is wrong" in failed(ended)[1]
    assert "canary-4711" not in ended.log + ended.message.decode()
    Path(secret.path).unlink()
    with shell(pod, "db", "echo good"):
        reason, error = failed(pod.run(pod.plan(repository)))
    assert (reason, 'Secret "app-db" has no key "password"' in error) == ("SecretMissing", True)


def test_a_full_repository_ends_the_dump_and_is_what_is_told(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),), encryption="none", passphrase=None)
    with shell(pod, "db", "echo good"):
        assert pod.run(pod.plan(repository)).code == 0
    config = Path(repository.location) / "config"
    config.write_text(config.read_text().replace("storage_quota = 0", "storage_quota = 2000000"))
    with shell(pod, "db", "echo $$ >pid; exec cat /dev/urandom"):
        reason, _ = failed(pod.run(pod.plan(repository, archive_name_template="{job_name}-2")))
        assert reason == "QuotaExceeded"
        assert not Path(f"/proc/{(pod.root / 'run/borg/streams/db/pid').read_text().strip()}").exists()


def test_a_run_that_is_stopped_stops_its_dump_and_leaves_no_checkpoint(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    pid = pod.root / "run/borg/streams/db/pid"
    with shell(pod, "db", "echo $$ >pid; echo locked by somebody >&2; echo half; exec sleep 600") as helper:
        with pod.running(pod.plan(repository)) as runner:
            wait_until(lambda: pid.exists() and pid.read_text().strip())
            runner.send_signal(signal.SIGTERM)
            ended = pod.wait(runner)
        reason, error = failed(ended)
        assert reason == "Interrupted"
        assert 'Dump "db" had not ended. Its last words: locked by somebody. Nothing was archived' in error
        assert "goes on" not in error
        assert helper.wait(20) == 0  # nothing keeps the pod
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
    assert nothing_is_left(pod, repository)


def test_a_runner_that_is_killed_takes_its_containers_along_and_the_next_attempt_works(pod: Pod) -> None:
    repository = pod.repository(sources=(dump(),))
    pid = pod.root / "run/borg/streams/db/pid"
    with shell(pod, "db", "echo $$ >pid; echo half; exec sleep 600") as helper:
        with pod.running(pod.plan(repository)) as runner:
            wait_until(lambda: pid.exists() and pid.read_text().strip())
            for child in Path(f"/proc/{runner.pid}/task/{runner.pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)  # as the end of a container ends all in it
            runner.kill()
            runner.wait()
        assert helper.wait(20) == 0
    dead = (pod.holder("db-1", "uid-1"),)  # as the operator says it once the pod is gone
    with shell(pod, "db", "echo good"):
        ended = pod.run(pod.plan(repository, archive_name_template="{job_name}-2", dead_holders=dead))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert pod.archives(repository) == ["db-2"]


def test_a_container_that_dies_is_told_as_such_and_the_next_repository_does_not_wait_for_it(pod: Pod) -> None:
    first, second = (pod.repository(name, sources=(dump(),)) for name in ("first", "second"))
    with shell(pod, "db", "echo half; kill -9 $PPID; sleep 600"):
        began = time.monotonic()
        ended = pod.run(pod.plan(first, second))
    one, two = ended.result.repositories
    assert (one.reason, two.reason) == ("DumpFailed", "ContainerMissing"), ended.log
    assert 'dump-it of container "stream-db" had not ended when its container did' in (one.error or "")
    assert time.monotonic() - began < 60
    assert nothing_is_left(pod, first)


def test_a_container_that_does_not_come_up_is_waited_for_in_words(pod: Pod) -> None:
    prepare(pod, ["db"])
    with pod.running(pod.plan(pod.repository(sources=(dump(),)))) as runner:
        wait_until(pod.notice)
        assert pod.notice().startswith('Waits for container "stream-db" of this pod since ')
        with shell(pod, "db", "echo good"):
            ended = pod.wait(runner)
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert pod.notice() == ""
