"""Claims by their labels, in real pods: what matches is in the archives, and a run keeps what it has."""

import pytest

from e2e.team import Team, condition

CHOSEN = [{"name": "chosen", "claimSelector": {"matchLabels": {"backup": "nightly"}}}]


@pytest.fixture(scope="module")
def chosen(team: Team) -> Team:
    """Make a repository that chooses claims, and one claim that matches and is in use."""
    team.prepare()
    team.work("echo one > /data/one")
    team.repository("main", sources=CHOSEN)
    team.schedule("nightly")
    team("label", "pvc", "app-data", "backup=nightly")
    return team


def wait_for_claims(team: Team, count: int) -> None:
    team.eventually(
        lambda: team.get("bsched", "nightly")["status"].get("claims"),
        f"{count} claims are chosen",
        holds=lambda found: found == count,
        within=30,
    )


def test_what_matches_is_archived_under_its_name_and_what_goes_is_in_older_archives(chosen: Team) -> None:
    wait_for_claims(chosen, 1)
    first = chosen.completed("first", "nightly")["repositories"][0]["archive"]
    assert chosen.borg("main", f"list --short ::{first}").splitlines().count("sources/app-data/one") == 1

    chosen("label", "pvc", "app-data", "backup-")
    wait_for_claims(chosen, 0)
    assert condition(chosen.get("bsched", "nightly"), "Ready")["reason"] == "NoClaimMatches"
    assert chosen.get("cronjob", "nightly")["spec"]["suspend"] is True
    chosen.begin("waits", "nightly")
    chosen.eventually(
        lambda: chosen.get("brun", "waits").get("status", {}).get("reason"),
        "a run by hand waits for a claim",
        holds=lambda reason: reason == "NoClaimMatches",
    )
    assert chosen.archives("main") == [first]

    chosen("label", "pvc", "app-data", "backup=nightly")
    assert chosen.finished("waits")["phase"] == "Completed"
    assert len(chosen.archives("main")) == 2


def test_a_claim_that_is_deleted_during_a_run_stays_until_the_run_has_ended(chosen: Team) -> None:
    chosen.claim("short-lived")
    chosen.script("wait", "sleep 20")
    chosen.schedule(
        "slow",
        hooks={"preBackup": {"scriptRef": {"name": "wait"}}},
        sources=[{"name": "named", "volume": {"persistentVolumeClaim": {"claimName": "short-lived"}}}],
    )
    chosen.begin("binds-it", "slow")
    assert chosen.finished("binds-it")["phase"] in ("Completed", "CompletedWithWarnings")  # it holds no file
    chosen("label", "pvc", "short-lived", "backup=nightly")
    chosen.schedule("slow", hooks={"preBackup": {"scriptRef": {"name": "wait"}}})
    chosen.eventually(
        lambda: chosen.get("bsched", "slow")["status"].get("claims"), "both are chosen", holds=lambda found: found == 2
    )
    chosen.begin("keeps-it", "slow")
    chosen.eventually(
        lambda: chosen.get("brun", "keeps-it").get("status", {}).get("phase"),
        "the run is at work",
        holds=lambda phase: phase == "Running",
    )
    chosen("delete", "pvc", "short-lived", "--wait=false")
    chosen.eventually(
        lambda: condition(chosen.get("bsched", "slow"), "ClaimsSelected").get("message", ""),
        "what is deleted is left out and told",
        holds=lambda message: '"short-lived" is being deleted' in message,
    )
    archive = chosen.finished("keeps-it")["repositories"][0]["archive"]
    assert "sources/short-lived" in chosen.borg("main", f"list --short ::{archive}").splitlines()
    chosen.eventually(lambda: chosen.find("pvc", "short-lived"), "the claim is gone", holds=lambda found: found is None)
