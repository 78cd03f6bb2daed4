"""A namespace is lost with all that is in it, and made anew from its manifests; the data comes back from the server."""

import json
from pathlib import Path

from e2e.offsite import SERVER, SSH, make_keys, serve_ssh
from e2e.team import Team
from e2e.test_restores import DIGEST, TREE, reached, restore
from support.cluster import BASELINE, Kubectl, make_namespace


def test_a_namespace_that_was_deleted_comes_back_whole(
    kubectl: Kubectl, team: Team, baseline_team: Team, tmp_path: Path
) -> None:
    """The schedule is applied again before anybody restores, and backs up the claim that is still empty."""
    make_keys(tmp_path, "client", "host")
    team.prepare()
    serve_ssh(team, tmp_path)
    lost = baseline_team
    _apply_manifests(lost, team.namespace, tmp_path)
    lost.work(TREE)
    whole = lost.work(DIGEST)
    archive = lost.completed("before", "night")["repositories"][0]["archive"]

    kubectl("delete", "namespace", lost.namespace, "--wait", "--timeout=120s")
    make_namespace(kubectl, lost.namespace, BASELINE)
    _apply_manifests(lost, team.namespace, tmp_path)
    after = lost.run("after", "night")
    assert (after["phase"], after["repositories"][0]["reason"]) == ("CompletedWithWarnings", "SourceEmpty")

    restore(lost, "hasty")
    status = reached(lost, "hasty", "Failed")
    assert status["reason"] == "ArchiveEmpty"
    listed = lost.eventually(
        lambda: {item["spec"]["archive"]: item["spec"] for item in lost.items("barch")},
        "the archives of before are known",
        holds=lambda seen: archive in seen,
        within=180,
    )
    made_empty = listed[after["repositories"][0]["archive"]]
    restore(lost, "whole", latest={"scheduleRef": {"name": "night"}, "before": made_empty["time"]}, mode="Mirror")
    status = reached(lost, "whole", "Completed", "Previewed")
    assert status["resolved"]["archive"] == archive
    if status["phase"] == "Previewed":  # the empty volume has a folder of its own
        lost.patch("brest", "whole", approve=status["preview"]["digest"])
        lost.eventually(lambda: lost.get("brest", "whole")["status"].get("completionTime"), "it is done", within=120)
    status = lost.get("brest", "whole")["status"]
    assert status["phase"] == "Completed", f"{json.dumps(status, indent=1)}\n{lost.story()}"
    assert lost.work(DIGEST) == whole


def _apply_manifests(team: Team, server: str, keys: Path) -> None:
    """Apply what a team keeps in its repository of manifests, the Secrets among it."""
    host = f"{SERVER}.{server}.svc"
    team.prepare(owners=True)
    public = (keys / "host.pub").read_text()
    team.secret("borg-ssh", id_ed25519=(keys / "client").read_text(), known_hosts=f"[{host}]:2222 {public}")
    team.repository("main", ssh={**SSH, "url": f"ssh://borg@{host}:2222/backups/main"}, archiveLimit=200)
    team.schedule("night", job={"fileAccess": "ReadAll"})
