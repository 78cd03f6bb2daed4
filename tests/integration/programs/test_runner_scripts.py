"""Scripts around a real backup: their order, what they learn, and that no secret leaks."""

from pathlib import Path

import pytest

from borg_contract.plan import HooksPlan
from borg_contract.run import Phase
from runner_kit.borg_binary import find_borg
from runner_kit.pod import PASSPHRASE, Pod, hook, powerless, process_arguments, wait_until

SECRET = 'the token\'s "value" $(id)'
WRITE_FACTS = 'env | grep ^BORG_ | sort > "$WHERE"'


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path, find_borg())


def facts(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_scripts_run_once_around_all_repositories_and_the_last_one_knows_the_result(pod: Pod, tmp_path: Path) -> None:
    order = {"ORDER": str(tmp_path / "order"), "WHERE": str(tmp_path / "facts")}
    ended = pod.run(
        pod.plan(
            pod.repository("one"),
            pod.repository("two"),
            hooks=HooksPlan(
                hook('echo pre >> "$ORDER"', parameters=order),
                hook(f'echo post >> "$ORDER"; {WRITE_FACTS}', parameters=order),
            ),
        )
    )
    assert ended.code == 0, ended.log
    assert (tmp_path / "order").read_text() == "pre\npost\n"
    told = facts(tmp_path / "facts")
    assert told["BORG_RUN_PHASE"] == "Completed"
    assert told["BORG_RUN_NAME"] == "db-1"
    assert told["BORG_SCHEDULE"] == "db"
    assert told["BORG_NAMESPACE"] == "team"
    assert told["BORG_ARCHIVES"] == f"one {ended.result.repositories[0].archive}"
    assert "BORG_RUN_PLAN" not in told


def test_a_failed_pre_backup_script_means_no_backup_and_the_post_backup_script_knows(pod: Pod, tmp_path: Path) -> None:
    where = {"WHERE": str(tmp_path / "facts")}
    pair = HooksPlan(hook("echo cannot wake it; exit 5", script="wake"), hook(WRITE_FACTS, parameters=where))
    ended = pod.run(pod.plan(hooks=pair))
    assert ended.code == 1
    assert ended.result.phase is Phase.FAILED
    assert ended.result.reason == "HookFailed"
    assert "Nothing was backed up" in ended.result.message
    assert "exit code 5" in ended.result.message
    assert "cannot wake it" in ended.result.message
    [result] = ended.result.repositories
    assert (result.phase, result.reason, result.archive) == (Phase.SKIPPED, "HookFailed", None)
    assert not (pod.root / "repositories/main").exists()
    told = facts(tmp_path / "facts")
    assert told["BORG_RUN_PHASE"] == "Failed"
    assert "cannot wake it" in told["BORG_RUN_MESSAGE"]
    assert told["BORG_FAILED_REPOSITORIES"] == "main"


def test_a_failed_post_backup_script_is_a_warning_beside_the_good_archive(pod: Pod) -> None:
    ended = pod.run(pod.plan(hooks=HooksPlan(post_backup=hook("exit 5", script="sleep-nas"))))
    assert ended.code == 0
    assert ended.result.phase is Phase.COMPLETED_WITH_WARNINGS
    assert ended.result.reason == "HookFailed"
    assert 'post-backup script "sleep-nas" failed with exit code 5' in ended.result.message
    assert ended.result.repositories[0].phase is Phase.COMPLETED


def test_the_scripts_of_one_repository_concern_that_one_only(pod: Pod, tmp_path: Path) -> None:
    where = {"WHERE": str(tmp_path / "facts")}
    pair = HooksPlan(hook("exit 5"), hook(WRITE_FACTS, parameters=where))
    ended = pod.run(pod.plan(pod.repository("one", hooks=pair), pod.repository("two")))
    first, second = ended.result.repositories
    assert (first.phase, first.reason) == (Phase.FAILED, "HookFailed")
    assert second.phase is Phase.COMPLETED
    told = facts(tmp_path / "facts")
    assert (told["BORG_RUN_PHASE"], told["BORG_REPOSITORY"]) == ("Failed", "one")


def test_a_script_that_hangs_does_not_stop_the_run_for_ever(pod: Pod) -> None:
    ended = pod.run(pod.plan(hooks=HooksPlan(hook("sleep 600", timeout=1))))
    assert ended.result.phase is Phase.FAILED
    assert "did not end within 1 s" in ended.result.message


def test_what_a_run_starts_leaves_no_core_in_which_secrets_are(pod: Pod) -> None:
    ended = pod.run(pod.plan(hooks=HooksPlan(post_backup=hook("grep core /proc/self/limits"))))
    [line] = [line for line in ended.log.splitlines() if "Max core file size" in line]
    assert line.split()[-3:] == ["1", "1", "bytes"]


def test_a_node_that_allows_no_core_at_all_is_no_hindrance(pod: Pod) -> None:
    pod.user = ["prlimit", "--core=0:0", *powerless()]
    assert pod.run(pod.plan()).result.phase is Phase.COMPLETED


def test_no_secret_is_in_an_argument_an_environment_of_borg_a_log_or_a_result(pod: Pod, tmp_path: Path) -> None:
    secret = pod.secret("nas", "token", SECRET)
    script = 'echo "$TOKEN"; echo $$ > "$PID"; while [ ! -e "$GO" ]; do sleep 0.1; done; exit 1'
    parameters = {"PID": str(tmp_path / "pid"), "GO": str(tmp_path / "go")}
    blocker = hook(script, parameters=parameters, secret_parameters={"TOKEN": secret})
    (pod.data / "big").write_bytes(b"".join(number.to_bytes(4, "big") * 3 for number in range(500_000)))
    plan = pod.plan(pod.repository(compression="lzma,9"), hooks=HooksPlan(post_backup=blocker))
    seen: set[str] = set()
    with pod.running(plan) as process:

        def look() -> bool:
            for pid, texts in process_arguments():
                assert SECRET.encode() not in texts["cmdline"]
                assert PASSPHRASE.encode() not in texts["cmdline"]
                if b"/borg\0" in texts["cmdline"] and bytes(tmp_path) in texts["cmdline"]:  # not another test's
                    seen.add("borg")
                    assert PASSPHRASE.encode() not in texts["environ"], pid
            return (tmp_path / "pid").exists()

        wait_until(look, 60)
        look()
        (tmp_path / "go").touch()
        ended = pod.wait(process)
    assert seen == {"borg"}
    for text in (SECRET, PASSPHRASE):
        assert text not in ended.log
        assert text.encode() not in ended.message
    assert "[script] ***" in ended.log
    assert "Its last output: ***" in ended.result.message
