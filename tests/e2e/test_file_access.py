"""`fileAccess: ReadAll`: files of every owner, in a namespace that allows root."""

from e2e.team import Team

TREE = """
for owner in 1 1000 65534; do
  mkdir /data/$owner
  echo $owner > /data/$owner/file
  chown -R $owner:$owner /data/$owner
  chmod 0400 /data/$owner/file
  chmod 0700 /data/$owner
done
"""


def test_files_of_several_owners_are_read_with_their_owners(baseline_team: Team) -> None:
    team = baseline_team
    team.prepare(owners=True)
    team.work(TREE)
    team.repository("main")
    team.schedule("night", job={"fileAccess": "ReadAll"})

    status = team.completed("all", "night")

    assert status["repositories"][0]["files"] == 3
    (pod,) = team.items("pods", "batch.kubernetes.io/job-name=all")
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["securityContext"]["runAsUser"] == 0
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True

    archive = status["repositories"][0]["archive"]
    listed = team.borg("main", f"list --format '{{uid}} {{mode}} {{path}}{{NL}}' ::{archive}")
    for owner in ("1", "1000", "65534"):
        assert f"{owner} -r-------- sources/data/{owner}/file" in listed
    team.borg("main", f"extract ::{archive}", folder="/tmp/restored")
    look = "find . -printf '%P %U %G %m\\n' | sort; find . -type f -exec cat {} +"
    assert team.work(f"cd /tmp/restored/sources/data; {look}") == team.work(f"cd /data; {look}")
