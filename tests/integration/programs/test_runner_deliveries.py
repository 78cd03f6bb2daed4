"""The runner with a real borg: a file of an archive given to a command, as that of another container would get it."""

import io
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from borg_contract.plan import RepositoryPlan, RunPlan, SecretFile, SourcePlan, StreamPlan
from borg_contract.pod import STREAMS_DIR
from borg_contract.restore.plan import RestorePlan
from borg_contract.run import Operation, Phase
from borg_runner.interruption import Interruption
from borg_runner.log import Log
from borg_runner.streams.container import listening
from borg_runner.streams.delivery import Delivery
from runner_kit.pod import Ended, Pod, wait_until
from runner_kit.streams import container, dump, prepare, shell
from runner_kit.told import Told

SIZE = 5_000_000


@pytest.fixture
def archived(pod: Pod) -> tuple[RepositoryPlan, bytes]:
    """Return a repository with the archive `one`, a dump of five megabytes beside a volume, and that dump."""
    repository = pod.repository(sources=(SourcePlan("data"), dump()))
    content = os.urandom(SIZE)
    (pod.root / "content").write_bytes(content)
    with shell(pod, "db", f"cat {pod.root}/content"):
        ended = pod.run(pod.plan(repository, archive_name_template="one"))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    return replace(repository, sources=()), content


def back(pod: Pod, repository: RepositoryPlan, operation: Operation = Operation.RESTORE, **changes: object) -> RunPlan:
    secrets: dict[str, SecretFile] = changes.pop("secrets", {})  # type: ignore[assignment]
    wanted = RestorePlan(name="back", archive="one", source="db", has_target=False)
    return pod.plan(
        repository,
        operation=operation,
        schedule="",
        restore=replace(wanted, **changes),  # type: ignore[arg-type]
        stream=StreamPlan("target", "restore-it", secrets),
    )


def told(ended: Ended) -> tuple[str, str]:
    [result] = ended.result.repositories
    assert result.phase is Phase.FAILED, ended.log
    return result.reason or "", result.error or ""


def test_a_preview_says_what_would_be_given_and_the_restore_gives_just_that(
    pod: Pod, archived: tuple[RepositoryPlan, bytes]
) -> None:
    repository, content = archived
    seen = pod.run(back(pod, repository, Operation.PREVIEW))
    preview = seen.result.repositories[0].restore.preview  # type: ignore[union-attr]
    assert preview is not None
    assert (preview.bytes, preview.sample) == (SIZE, ("> app.dump",))
    with shell(pod, "target", "cat >got; echo done >&2"):
        ended = pod.run(back(pod, repository, digest=preview.digest))
    [result] = ended.result.repositories
    assert result.phase is Phase.COMPLETED, ended.log
    assert (pod.root / "run/borg/streams/target/got").read_bytes() == content
    assert "[target] done\n" in ended.log
    assert result.restore is not None
    assert (result.restore.files, result.restore.bytes) == (1, SIZE)
    with shell(pod, "target", "touch began; cat >/dev/null"):
        other = pod.run(back(pod, repository, digest="0" * 64))
    assert told(other)[0] == "PreviewOutdated"
    assert not (pod.root / "run/borg/streams/target/began").exists()


COMMANDS = {
    "fails": ("head -c 10 >/dev/null; echo 'role \"app\" does not exist' >&2; exit 3",
              ["restore-it failed with exit code 3", 'Its last words: role "app" does not exist']),
    "ends early": ("head -c 10 >/dev/null", ["ended well, but before it had read all"]),
    "is killed, and another reads on": ("head -c 10 >/dev/null; exec 3<&0; cat <&3 >/dev/null & kill -9 $$",
                                        ["restore-it was killed by signal 9"]),
    "closes its input and goes on": ("exec <&-; sleep 600", ["restore-it was killed by signal 15"]),
    "talks before it reads": ("head -c 1000000 /dev/zero | tr '\\0' '\\n' >&2; head -c 10 >/dev/null; exit 4",
                              ["failed with exit code 4"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_that_does_not_take_all_is_told_in_its_own_words(
    pod: Pod, archived: tuple[RepositoryPlan, bytes], name: str
) -> None:
    script, words = COMMANDS[name]
    with shell(pod, "target", script):
        reason, error = told(pod.run(back(pod, archived[0])))
    assert reason == "StreamFailed"
    assert all(word in error for word in (*words, "It may have taken a part of it")), error


def test_a_command_that_takes_all_need_not_wait_for_the_end(pod: Pod, archived: tuple[RepositoryPlan, bytes]) -> None:
    with shell(pod, "target", f"head -c {SIZE} >got"):
        ended = pod.run(back(pod, archived[0]))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    assert (pod.root / "run/borg/streams/target/got").read_bytes() == archived[1]


@pytest.mark.parametrize("script", ["head -c 10 >/dev/null", "exec <&-; sleep 600", "sleep 2; dd bs=999 count=1"])
def test_what_a_command_leaves_in_the_pipe_is_noticed(pod: Pod, script: str) -> None:
    repository = pod.repository(sources=(dump(),))
    with shell(pod, "db", "head -c 1000 /dev/zero"):
        ended = pod.run(pod.plan(repository, archive_name_template="one"))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    with shell(pod, "target", script):
        reason, error = told(pod.run(back(pod, replace(repository, sources=()))))
    assert (reason, "It may have taken a part of it" in error) == ("StreamFailed", True), error


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("cat > >(sleep 2; cat >got; sleep 7; touch loaded)", id="by its output"),
        pytest.param("cat > >(sleep 2; cat >got; sleep 7; touch loaded) 2>/dev/null", id="in silence"),
        pytest.param("exec 3<&0; (sleep 2; cat <&3 >got; touch loaded) & exit 0", id="from its input"),
    ],
)
def test_what_loads_for_the_command_is_waited_for(
    pod: Pod, archived: tuple[RepositoryPlan, bytes], script: str
) -> None:
    with container(pod, "target", "bash", "-c", script):
        ended = pod.run(back(pod, archived[0]))
    assert ended.result.phase is Phase.COMPLETED, ended.log
    folder = pod.root / "run/borg/streams/target"
    assert ((folder / "got").read_bytes(), (folder / "loaded").exists()) == (archived[1], True)


def test_a_command_is_never_told_that_it_has_all_where_borg_cannot_give_it(
    pod: Pod, archived: tuple[RepositoryPlan, bytes]
) -> None:
    segment = max(Path(archived[0].location).glob("data/*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(segment.read_bytes())
    middle = len(content) * 3 // 4
    content[middle : middle + 1000] = bytes(1000)
    segment.write_bytes(content)
    with shell(pod, "target", "cat >/dev/null; touch whole"):
        reason, _ = told(pod.run(back(pod, archived[0])))
    assert reason == "RepositoryDamaged"
    assert not (pod.root / "run/borg/streams/target/whole").exists()


def test_a_restore_that_is_stopped_ends_its_command(pod: Pod, archived: tuple[RepositoryPlan, bytes]) -> None:
    pid = pod.root / "run/borg/streams/target/pid"
    with shell(pod, "target", "echo $$ >pid; cat >/dev/null; exec sleep 600") as helper:
        with pod.running(back(pod, archived[0])) as runner:
            wait_until(lambda: pid.exists() and pid.read_text().strip())
            runner.send_signal(signal.SIGTERM)
            ended = pod.wait(runner)
        reason, error = told(ended)
        assert (reason, "goes on" in error) == ("Interrupted", False), error
        assert helper.wait(20) == 0
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_one_file_must_be_meant(pod: Pod, archived: tuple[RepositoryPlan, bytes]) -> None:
    (pod.data / "second").write_text("2")
    with shell(pod, "db", "echo more"):
        plan = pod.plan(pod.repository(sources=(SourcePlan("data"), dump())), archive_name_template="two")
        assert pod.run(plan).result.phase is Phase.COMPLETED
    reason, error = told(pod.run(back(pod, archived[0], Operation.PREVIEW, archive="two", source="data")))
    assert (reason, "2 files are meant (hello.txt, second)" in error) == ("PathsNotFound", True), error
    one = pod.run(back(pod, archived[0], Operation.PREVIEW, archive="two", source="data", paths=("second",)))
    assert one.result.phase is Phase.COMPLETED, one.log


@pytest.mark.parametrize(
    ("script", "words"),
    [("{told}; cat >/dev/null", "has taken nothing since"), ("cat >/dev/null; {told}", "has all since")],
    ids=["it takes nothing", "it has all"],
)
def test_a_command_that_does_not_go_on_is_told_until_it_does(pod: Pod, script: str, words: str) -> None:
    log, told = Log(io.StringIO()), list[str]()
    notice = Told(pod.root / "tmp/borg-waits", log, told)
    folder = pod.root / STREAMS_DIR.lstrip("/")
    prepare(pod, ["target"])
    with listening({"target": StreamPlan("target", "restore-it")}, folder, log) as containers:
        until_told = f"until [ -e {notice.path} ]; do sleep 0.1; done"
        with shell(pod, "target", script.format(told=until_told)):
            container, interruption = containers["target"], Interruption(10.0)
            container.wait(interruption, None)
            delivery = Delivery(container, log, notice, patience=0.5)
            _, end = delivery.open()
            with subprocess.Popen(["head", "-c", str(SIZE), "/dev/zero"], stdout=end) as writer:
                delivery.begin()
                wait_until(lambda: delivery.must_stop() or writer.poll() is not None)
            assert delivery.finish(interruption) is None
            assert delivery.moved == SIZE
            delivery.abort()
    assert [f"The command restore-it {words}" in text for text in told] == [True]
    assert "cancel the restore" in told[0]
    assert not notice.path.exists()
