"""Claims that are chosen by their labels: which become sources, which are left out, and what is said of them."""

from dataclasses import replace
from hashlib import sha256
from random import Random
from typing import Any

import pytest

from borg_contract.reasons import Reason
from borg_core.actions import CreateCronJob, PatchStatus, RepairCronJob
from borg_core.claims.selection import Selection, find_named, select_sources
from borg_core.claims.told import find_selected
from borg_core.kinds.parts.volumes import Source
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.schedule import BorgSchedule
from borg_core.kinds.selectors.claim import ClaimSelector
from borg_core.names import derive_folder_name
from borg_core.native.claim import CLAIMS, ObservedClaim
from borg_core.policies.problem import Severity
from borg_core.policies.schedule import derive_problems
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from support import builders
from support.builders import NOW, SETTINGS

NIGHTLY = {"matchLabels": {"backup": "nightly"}}
BOTH = builders.schedule(repositories=("main", "offsite"))
CHOSEN = {"name": "chosen", "claimSelector": NIGHTLY}


def claim(name: str, labels: dict[str, str] | None = None, phase: str = "Bound", **more: Any) -> ObservedClaim:
    metadata = builders.metadata(name, labels={"backup": "nightly"} if labels is None else labels)
    spec, metadata = more.pop("spec", {}), {**metadata, **more}
    return CLAIMS.parse({"metadata": metadata, "spec": spec, "status": {"phase": phase}})


def sources(*given: dict[str, Any]) -> tuple[Source, ...]:
    return tuple(Source.model_validate(item) for item in given)


def select(*claims: ObservedClaim, given: tuple[dict[str, Any], ...] = (CHOSEN,), **more: Any) -> Selection:
    wanted = sources(*given)
    return select_sources(wanted, claims, **{"named": find_named(wanted), "written": (), **more})


def pairs(selection: Selection) -> list[tuple[str, str | None]]:
    return [(source.name, source.volume.claim_name if source.volume else None) for source in selection.sources]


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [
        ({}, {}, True),
        ({}, {"a": "b"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "b", "c": "d"}, True),
        ({"matchLabels": {"a": "b"}}, {"a": "c"}, False),
        ({"matchLabels": {"a": ""}}, {}, False),
        ({"matchLabels": {"a": "b", "c": "d"}}, {"a": "b"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}, {"a": "c"}, True),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}, {"a": "b"}, False),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"a": ""}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {}, False),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, {"a": ""}, False),
        (
            {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "c", "operator": "Exists"}]},
            {"a": "b"},
            False,
        ),
    ],
)
def test_labels_are_matched_as_kubernetes_does(selector: dict[str, Any], labels: dict[str, str], matches: bool) -> None:
    assert ClaimSelector.model_validate(selector).matches(labels) is matches


def test_each_claim_that_matches_is_a_source_called_like_it_whatever_the_order() -> None:
    claims = [claim(name) for name in ("b", "a", "d-0", "c")] + [claim("other", {"backup": "weekly"})]
    found = []
    for seed in range(5):
        shuffled = claims.copy()
        Random(seed).shuffle(shuffled)
        found.append(select(*shuffled, given=(builders.source("zz", "own"), {**CHOSEN, "paths": ["x"]})))
    assert pairs(found[0]) == [("zz", "own"), ("a", "a"), ("b", "b"), ("c", "c"), ("d-0", "d-0")]
    assert [source.paths for source in found[0].sources] == [(".",), ("x",), ("x",), ("x",), ("x",)]
    assert all(selection == found[0] for selection in found)


LEFT_OUT: dict[str, tuple[ObservedClaim, str, bool]] = {
    "being deleted": (claim("a", deletionTimestamp="2026-03-01T00:00:00Z"), "is being deleted", True),
    "block": (claim("a", spec={"volumeMode": "Block"}), "is a block device, which has no files", False),
    "lost": (claim("a", phase="Lost"), "has lost its volume", False),
    "name taken": (claim("a"), 'would be source "a", and another source is called so: rename that', False),
    "pending": (claim("a", phase="Pending"), "is not bound to a volume yet", True),
}


@pytest.mark.parametrize("case", sorted(LEFT_OUT))
def test_a_claim_that_cannot_be_taken_stops_nobody_else_and_is_told(case: str) -> None:
    hindered, words, passes = LEFT_OUT[case]
    found = select(hindered, claim("b"), given=(builders.source("a", "somebody-elses"), CHOSEN))
    assert pairs(found) == [("a", "somebody-elses"), ("b", "b")]
    assert [(item.claim, item.why, item.passes) for item in found.left_out] == [("a", words, passes)]
    said = find_selected([found])
    reason = Reason.CLAIMS_SELECTED if passes else Reason.CLAIMS_LEFT_OUT
    assert (said.status, said.reason) == (passes, reason.value)
    assert said.message == f'1 claim: b; left out: "a" {words}'


DUMP = {"name": "db", "dump": {"image": "postgres:17", "command": ["pg_dump"], "path": "app.dump"}}


def test_a_claim_that_is_called_like_a_dump_is_left_out_and_the_schedule_goes_on() -> None:
    both = builders.ssh_repository(sources=[DUMP, CHOSEN])
    of = bundle(claim("a"), claim("db"), schedule=builders.schedule(repositories=("offsite",)), repositories=(both,))
    settings = Settings("runner:1", allowed_images=("postgres:17",))
    assert derive_problems(of, of.workload(), settings) == ()
    assert pairs(of.selections["offsite"]) == [("db", None), ("a", "a")]
    (said,) = of.selections["offsite"].left_out
    assert str(said) == '"db" would be source "db", and another source is called so: rename that'


def test_a_claim_that_two_repositories_copy_otherwise_is_told_as_that() -> None:
    made = claim("a", annotations={"volume.kubernetes.io/storage-provisioner": "csi.test"})
    first = builders.ssh_repository("r1", sources=[{**CHOSEN, "copy": "Clone"}])
    of = bundle(
        made,
        schedule=builders.schedule(repositories=("r1", "r2")),
        repositories=(first, builders.ssh_repository("r2", sources=[CHOSEN])),
    )
    (problem,) = derive_problems(of, of.workload(), SETTINGS)
    assert problem.message == (
        'source "a" has copy: None in BorgRepository "r2" and copy: Clone in "r1", and there is one volume at '
        "/sources/a: say the same in both"
    )


@pytest.mark.parametrize("mark", ["annotations", "labels"])
def test_a_claim_that_is_to_be_ignored_is_not_taken_and_not_talked_of(mark: str) -> None:
    noted = {"borgoperator.io/ignore": "true"}
    more: dict[str, Any] = {"annotations": noted} if mark == "annotations" else {}
    labels = {"backup": "nightly", **(noted if mark == "labels" else {})}
    found = select(claim("a", labels, **more), claim("b", annotations={"borgoperator.io/ignore": "false"}))
    assert (pairs(found), found.left_out) == ([("b", "b")], ())


def test_a_volume_that_goes_with_its_pod_is_not_taken_such_as_the_copy_of_another_run() -> None:
    of_a_pod: dict[str, Any] = {"ownerReferences": [{"kind": "Pod", "name": "nightly-1", "controller": True}]}
    of_a_set: dict[str, Any] = {"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}
    found = select(claim("a", **of_a_pod), claim("b", **of_a_set))
    assert (pairs(found), found.left_out) == ([("b", "b")], ())


@pytest.mark.parametrize("copy", ["Clone", "Snapshot"])
def test_of_many_claims_to_copy_the_one_without_a_driver_is_left_out_and_told(copy: str) -> None:
    driver = {"volume.kubernetes.io/storage-provisioner": "csi.test"}
    found = select(claim("a", annotations=driver), claim("b"), given=({**CHOSEN, "copy": copy},))
    assert pairs(found) == [("a", "a")]
    assert found.sources[0].is_copied
    assert [(item.claim, item.passes) for item in found.left_out] == [("b", False)]
    assert "no copy of it" in found.left_out[0].why


def test_what_one_selector_cannot_take_and_a_later_one_does_is_not_left_out() -> None:
    copied, plain = {**CHOSEN, "copy": "Clone"}, {"name": "all", "claimSelector": {}}
    found = select(claim("a"), given=(copied, plain))
    assert (pairs(found), found.left_out, found.unmatched) == ([("a", "a")], (), ())
    assert find_selected([found]).message == "1 claim: a"


def test_what_is_left_out_of_one_repository_and_goes_into_another_is_told() -> None:
    found = [select(claim("a"), given=({**CHOSEN, "copy": "Clone"},)), select(claim("a"))]
    assert "left out" in find_selected(found).message


def test_no_repository_is_backed_up_into_itself_because_of_its_labels() -> None:
    found = select(
        claim("repo-main", {}), claim("a", {}), given=({"name": "all", "claimSelector": {}},), written=["repo-main"]
    )
    assert (pairs(found), found.left_out) == ([("a", "a")], ())


def test_what_is_named_is_taken_as_it_is_named_and_of_several_selectors_the_first_takes() -> None:
    plain = builders.source("web", "a", paths=["etc"])
    first, second = {**CHOSEN, "paths": ["x"]}, {"name": "all", "claimSelector": {}, "paths": ["y"]}
    found = select(claim("a"), claim("b"), claim("c", {}), given=(plain, first, second))
    assert pairs(found) == [("web", "a"), ("b", "b"), ("c", "c")]
    assert [source.paths for source in found.sources] == [("etc",), ("x",), ("y",)]
    assert (found.left_out, found.unmatched, found.chosen) == ((), (), ("b", "c"))


LONG = "a" * 64


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("data", "data"),
        ("a" * 63, "a" * 63),
        (LONG, "a" * 54 + "-DIGEST"),
        ("data.app", "data-app-DIGEST"),
        (f"{'a' * 53}.b", "a" * 53 + "-DIGEST"),
    ],
)
def test_a_name_that_no_folder_can_have_gets_a_digest(name: str, folder: str) -> None:
    digest = sha256(name.encode()).hexdigest()[:8]
    assert derive_folder_name(name) == folder.replace("DIGEST", digest)
    assert pairs(select(claim(name))) == [(folder.replace("DIGEST", digest), name)]


def test_two_claims_never_have_one_folder() -> None:
    names = ["a.b", "a-b", "a--b", "ab", LONG, f"{LONG}a", f"{LONG}.a"]
    assert len({derive_folder_name(name) for name in names}) == len(names)


# What it means for a schedule


def bundle(
    *claims: ObservedClaim, schedule: BorgSchedule | None = None, repositories: tuple[BorgRepository, ...] | None = None
) -> Bundle:
    chosen = repositories or (builders.local_repository(sources=[CHOSEN]),)
    plain = builders.bundle(
        schedule, chosen, claims=("app-data", "repo-main", "repo-offsite", *(c.name for c in claims))
    )
    return replace(plain, candidates=claims)


def condition(of: dict[str, Any], type_: str) -> tuple[str, str, str]:
    return next((c["status"], c["reason"], c["message"]) for c in of["conditions"] if c["type"] == type_)


def status_of(case: builders.Case) -> dict[str, Any]:
    (patch,) = builders.planned(case, PatchStatus)
    return patch.status


def volumes(manifest: dict[str, Any]) -> list[str]:
    pod = manifest["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    found = [volume.get("persistentVolumeClaim", {}).get("claimName") for volume in pod["volumes"]]
    return [name for name in found if name and not name.startswith("repo-")]


def test_the_cron_job_mounts_the_claims_and_the_status_counts_them() -> None:
    case = builders.world(bundle(claim("a"), claim("b"), claim("c", {})))
    (made,) = builders.planned(case, CreateCronJob)
    assert volumes(made.manifest) == ["a", "b"]
    status = status_of(case)
    assert status["claims"] == 2
    assert condition(status, "Ready")[0] == "True"
    assert condition(status, "ClaimsSelected") == ("True", "ClaimsSelected", "2 claims: a, b")


def test_of_many_claims_a_few_are_named() -> None:
    said = find_selected([select(*(claim(f"c{n:03}") for n in range(500)))])
    assert said.message == "500 claims: c000, c001, c002, c003, c004 and 495 more"


def test_a_schedule_without_selectors_says_nothing_of_them() -> None:
    status = status_of(builders.world(builders.bundle()))
    assert "ClaimsSelected" not in {condition["type"] for condition in status["conditions"]}
    assert status["claims"] == 1


def test_none_that_matches_holds_the_schedule_and_what_comes_lets_it_go_on() -> None:
    """Never a run that backs up nothing, or prunes for it; what was missed is made up for."""
    none = builders.world(bundle(claim("a", {})))
    assert builders.planned(none, CreateCronJob) == []
    words = 'no claim to back up matches the claimSelector of source "chosen" (backup=nightly)'
    status = status_of(none)
    said = f"{words}; no run begins, and nothing is pruned, until one does"
    assert condition(status, "Ready") == ("False", "NoClaimMatches", said)
    assert condition(status, "ClaimsSelected") == ("False", "NoClaimMatches", words)
    assert "Stalled" not in {condition["type"] for condition in status["conditions"]}

    pending = status_of(builders.world(bundle(claim("a", phase="Pending"))))
    left = f'{words}; left out: "a" is not bound to a volume yet'
    assert condition(pending, "Ready")[2] == f"{left}; no run begins, and nothing is pruned, until one does"
    assert condition(pending, "ClaimsSelected") == ("False", "NoClaimMatches", left)

    settled = builders.settled(builders.world(bundle(claim("a"))))
    assert settled.bundle
    (held,) = builders.planned(replace(settled, bundle=replace(settled.bundle, candidates=())), RepairCronJob)
    assert held.manifest["spec"]["suspend"] is True
    assert held.forget_missed_before is None
    (back,) = builders.planned(replace(settled, cron_job=builders.observed(held.manifest)), RepairCronJob)
    assert back.manifest["spec"]["suspend"] is False
    assert back.forget_missed_before is None  # so a tick of meanwhile is made up for
    assert volumes(back.manifest) == ["a"]


def test_beside_other_sources_a_selector_that_finds_nothing_is_told_and_the_rest_is_backed_up() -> None:
    case = builders.world(bundle(repositories=(builders.local_repository(sources=[builders.source(), CHOSEN]),)))
    (made,) = builders.planned(case, CreateCronJob)
    assert volumes(made.manifest) == ["app-data"]
    status = status_of(case)
    assert condition(status, "Ready")[0] == "True"
    assert condition(status, "ClaimsSelected")[:2] == ("False", "NoClaimMatches")


def test_a_repository_into_which_nothing_goes_does_not_stop_the_other_one() -> None:
    """Its part of the run fails and says why: see test_runner_content."""
    empty = builders.local_repository(sources=[CHOSEN])
    both = bundle(
        schedule=builders.schedule(repositories=("main", "offsite")), repositories=(empty, builders.ssh_repository())
    )
    assert derive_problems(both, both.workload(), SETTINGS) == ()
    assert [target.sources == () for target in both.workload().targets] == [True, False]


def test_a_claim_that_one_repository_names_and_the_other_chooses_is_one_volume() -> None:
    naming = builders.ssh_repository(sources=[builders.source("a", "a")])
    choosing = builders.local_repository(sources=[CHOSEN])
    both = bundle(
        claim("a"), schedule=builders.schedule(repositories=("main", "offsite")), repositories=(choosing, naming)
    )
    assert derive_problems(both, both.workload(), SETTINGS) == ()
    (made,) = builders.planned(builders.world(both), CreateCronJob)
    assert volumes(made.manifest) == ["a"]


def test_the_problem_is_one_that_goes_by_itself() -> None:
    none = bundle()
    (problem,) = derive_problems(none, none.workload(), SETTINGS)
    assert (problem.reason, problem.severity) == (Reason.NO_CLAIM_MATCHES, Severity.HELD)


def test_the_same_claims_in_another_order_make_the_same_cron_job() -> None:
    claims = [claim(f"c{n}") for n in range(30)]
    settled = builders.settled(builders.world(bundle(*claims)))
    assert settled.bundle
    turned = Bundle(
        settled.bundle.schedule,
        settled.bundle.repositories,
        claims=settled.bundle.claims,
        candidates=tuple(claims[::-1]),
    )
    assert builders.plan(builders.Case(**{**vars(settled), "bundle": turned}), NOW).actions == ()
