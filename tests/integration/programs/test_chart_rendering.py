"""What the chart renders: least rights, restricted pods, and nothing of one install in the way of another."""

import os
import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.routing import APIRoute

from borg_api.page.routes import ROUTERS as PAGES
from borg_core.registry import own_kinds
from borg_core.settings import PodDefaults
from borg_operator.configuration import ConfigurationError, read_configuration
from support.chart import CHART, Object, Refused, find_helm, of_kind, pod_specs, render
from support.cluster import REPOSITORY

EVERYTHING: Object = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text())
NAMESPACED: Object = yaml.safe_load((CHART / "ci" / "namespaced-values.yaml").read_text())
CASES = {"defaults": {}, "everything": EVERYTHING, "namespaced": NAMESPACED}
CLUSTER_WIDE_KINDS = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace"}


@pytest.fixture(scope="module", params=CASES)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return render(CASES[request.param])


@pytest.fixture(scope="module")
def everything() -> list[Object]:
    return render(EVERYTHING)


@pytest.fixture(scope="module")
def namespaced() -> list[Object]:
    return render(NAMESPACED)


def named(objects: list[Object], kind: str, name: str) -> Object:
    (found,) = (item for item in of_kind(objects, kind) if item["metadata"]["name"] == name)
    return found


def rules(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for item in [*of_kind(objects, "Role"), *of_kind(objects, "ClusterRole")]:
        yield from ((item["metadata"]["name"], rule) for rule in item["rules"])


def test_an_install_for_some_namespaces_has_nothing_of_the_whole_cluster(namespaced: list[Object]) -> None:
    assert {item["kind"] for item in namespaced} & CLUSTER_WIDE_KINDS == set()
    assert {item["roleRef"]["kind"] for item in of_kind(namespaced, "RoleBinding")} == {"Role"}
    places = {(item["metadata"]["name"], item["metadata"]["namespace"]) for item in of_kind(namespaced, "Role")}
    roles = {"borg-viewer", "borg-operator", "borg-restorer", "borg-admin"}
    names = {*roles, "backups-borg-operator-manager", "backups-borg-operator-api", "borg-operator-scope"}
    wanted = {(name, namespace) for name in names for namespace in ("team-a", "team-b")}
    own = ("backups-borg-operator-api-key", "borg-system")
    assert places == {*wanted, own, ("backups-borg-operator-test", "team-a")}


def test_a_cluster_wide_install_has_the_same_rights_and_more_to_see_crds_come_which_cluster_it_is_and_its_nodes(
    namespaced: list[Object],
) -> None:
    def manager(objects: list[Object], kind: str) -> list[Object]:
        role = next(item for item in of_kind(objects, kind) if item["metadata"]["name"].endswith("-manager"))
        found: list[Object] = role["rules"]
        return found

    crds = {
        "apiGroups": ["apiextensions.k8s.io"],
        "resources": ["customresourcedefinitions"],
        "verbs": ["list", "watch"],
    }
    cluster = {"apiGroups": [""], "resources": ["namespaces"], "resourceNames": ["kube-system"], "verbs": ["get"]}
    nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list"]}
    assert manager(render(), "ClusterRole") == [*manager(namespaced, "Role"), crds, cluster, nodes]


def test_installs_side_by_side_have_no_object_in_common() -> None:
    def identities(release: str, namespace: str, watched: str) -> set[tuple[str, str, str]]:
        values = {"operator": {"namespaces": [watched], "clusterName": "one"}, "crds": {"install": False}}
        objects = render(values, release=release, namespace=namespace)
        return {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in objects}

    one = identities("borg-operator", "system-a", "team-a")
    assert one & identities("borg-operator", "system-b", "team-b") == set()
    assert one & identities("other", "system-a", "team-b") == set()


@pytest.mark.parametrize(
    "scope", [{}, {"namespaces": ["team-a"], "clusterName": "one"}], ids=["the whole cluster", "a namespace"]
)
def test_two_installs_for_one_scope_would_own_the_same_object_whatever_their_roles_are_called(scope: Object) -> None:
    def identities(release: str, namespace: str) -> set[tuple[str, str, str]]:
        values = {"operator": scope, "crds": {"install": False}, "rbac": {"userRoles": False}}
        objects = render(values, release=release, namespace=namespace)
        return {(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in objects}

    place = "team-a" if scope else ""
    (shared,) = identities("one", "system-a") & identities("other", "system-b")
    assert shared == ("Role" if scope else "ClusterRole", place, "borg-operator-scope")


def test_no_account_may_read_secrets_or_create_pods(objects: list[Object]) -> None:
    for name, rule in rules(objects):
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]], name
        if "secrets" in rule["resources"]:  # the facade, that of its own key, which it makes once
            assert name.endswith("-api-key")
            assert len(rule["resourceNames"]) == 1
            assert rule["verbs"] in (["get", "update"], ["get"])
        if {"pods", "pods/exec"} & set(rule["resources"]):
            # The operator watches pods and gives them a deadline; everybody else lists them.
            assert rule["verbs"] in (["list"], ["list", "watch", "patch"]), name


def test_nobody_who_may_only_look_at_objects_sees_sessions(objects: list[Object]) -> None:
    may = {name.rpartition("-")[2] for name, rule in rules(objects) if "borgsessions" in rule["resources"]}
    assert may & {"viewer", "view", "operator"} == set()
    assert {"restorer", "admin"} <= may
    (verbs,) = (
        rule["verbs"]
        for name, rule in dict(rules(objects)).items()
        if name == "borg-restorer" and rule["resources"] == ["borgsessions"]
    )
    assert verbs == ["get", "list", "watch", "create", "delete"]


def test_the_key_of_sessions_is_in_no_manifest_and_the_operator_is_given_the_public_half(objects: list[Object]) -> None:
    secret = named(objects, "Secret", "backups-borg-operator-api-key")
    assert secret.keys() & {"data", "stringData", "immutable"} == set()
    name = secret["metadata"]["name"]
    operator, facade = (
        next(
            item["spec"]["template"]["spec"]
            for item in of_kind(objects, "Deployment")
            if item["spec"]["template"]["spec"]["containers"][0]["name"] == container
        )
        for container in ("operator", "api")
    )
    (volume,) = operator["volumes"]
    assert volume["secret"]["items"] == [{"key": "public.pem", "path": "public.pem"}]
    assert (volume["secret"]["secretName"], volume["secret"]["optional"]) == (name, True)
    assert name not in str(facade.get("volumes", []))


def test_sessions_let_in_the_pods_of_this_facade(objects: list[Object]) -> None:
    deployments = {
        item["spec"]["template"]["spec"]["containers"][0]["name"]: item for item in of_kind(objects, "Deployment")
    }
    (container,) = deployments["operator"]["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    facade = read_configuration(environment).settings.facade
    assert facade
    pods = deployments["api"]["spec"]["template"]["metadata"]["labels"]
    assert facade.labels.items() <= pods.items()
    assert facade.labels == deployments["api"]["spec"]["selector"]["matchLabels"]
    assert facade.namespace == deployments["api"]["metadata"]["namespace"]


def test_without_sessions_nothing_of_them_is_there_and_a_key_of_ones_own_is_only_read() -> None:
    objects = render({"api": {"sessions": {"enabled": False}, "page": {"enabled": False}}})
    assert of_kind(objects, "Secret") == []
    assert "SESSION" not in str(of_kind(objects, "Deployment"))
    assert "networkpolicies" not in str(list(rules(objects)))
    objects = render({"api": {"existingKeySecret": "ours"}})
    assert of_kind(objects, "Secret") == []
    (rule,) = (rule for _, rule in rules(objects) if "secrets" in rule["resources"])
    assert (rule["resourceNames"], rule["verbs"]) == (["ours"], ["get"])


def test_every_pod_is_restricted_and_says_whether_it_has_a_token(objects: list[Object]) -> None:
    specs = pod_specs(objects)
    assert len(specs) == 4
    for name, spec in specs.items():
        assert isinstance(spec["automountServiceAccountToken"], bool), name
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"requests", "limits"} <= container["resources"].keys(), name


def test_a_service_account_gives_its_token_to_nobody_who_does_not_ask(objects: list[Object]) -> None:
    accounts = of_kind(objects, "ServiceAccount")
    assert len(accounts) == 3
    assert {account["automountServiceAccountToken"] for account in accounts} == {False}


def test_common_labels_and_annotations_are_everywhere_but_in_selectors(everything: list[Object]) -> None:
    pods = [item["spec"]["template"] for item in of_kind(everything, "Deployment")]
    for item in [*everything, *pods]:
        if item.get("kind") == "CustomResourceDefinition":
            continue  # a copy of crds/, as text
        assert item["metadata"]["labels"]["team"] == "storage", item
        assert item["metadata"]["annotations"]["contact"] == "storage@example.com", item
    for deployment in of_kind(everything, "Deployment"):
        assert deployment["spec"]["selector"]["matchLabels"].keys() == {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }


def test_only_what_people_use_is_passed_from_outside(everything: list[Object]) -> None:
    (rule,) = named(everything, "Ingress", "backups-borg-operator-api")["spec"]["rules"]
    passed = {(path["pathType"], path["path"]) for path in rule["http"]["paths"]}
    assert passed == {
        *(("Prefix", f"{path}/") for path in PASSED_BELOW),
        *(("Exact", path) for path in PASSED),
    }
    rules = named(everything, "HTTPRoute", "backups-borg-operator-api")["spec"]["rules"]
    assert max(len(rule["matches"]) for rule in rules) <= 8  # more, older Gateway APIs refuse
    assert all(rule["backendRefs"] == rules[0]["backendRefs"] for rule in rules)
    routed = {(match["path"]["type"], match["path"]["value"]) for rule in rules for match in rule["matches"]}
    assert routed == {*(("PathPrefix", path) for path in PASSED_BELOW), *(("Exact", path) for path in PASSED)}


PAGE_PATHS = {route.path for router in PAGES for route in router.routes if isinstance(route, APIRoute)}
PASSED_BELOW = {"/api", "/docs-assets", *("/" + path.split("/")[1] for path in PAGE_PATHS if path.count("/") > 1)}
PASSED = {"/docs", "/openapi.json", *(path for path in PAGE_PATHS if "/" + path.split("/")[1] not in PASSED_BELOW)}


def test_without_the_page_nothing_of_it_is_passed_or_made() -> None:
    ingress = {"enabled": True, "hosts": ["backup.example.com"]}
    objects = render({"api": {"page": {"enabled": False}, "sessions": {"enabled": False}, "ingress": ingress}})
    (rule,) = named(objects, "Ingress", "backups-borg-operator-api")["spec"]["rules"]
    assert {path["path"] for path in rule["http"]["paths"]} == {"/api/", "/docs-assets/", "/docs", "/openapi.json"}
    assert of_kind(objects, "Secret") == []
    (container,) = pod_specs(objects)["backups-borg-operator-api"]["containers"]
    assert "BORG_API_KEY_SECRET" not in {item["name"] for item in container["env"]}
    assert "volumes" not in pod_specs(objects)["backups-borg-operator-api"]


@pytest.mark.parametrize("without", ["page", "sessions"])
def test_page_and_sessions_do_with_one_key_each_without_the_other(without: str) -> None:
    objects = render({"api": {without: {"enabled": False}}})
    assert named(objects, "Secret", "backups-borg-operator-api-key").keys().isdisjoint({"data", "stringData"})
    (container,) = pod_specs(objects)["backups-borg-operator-api"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["BORG_API_KEY_SECRET"] == "borg-system/backups-borg-operator-api-key"
    assert (environment["BORG_API_PAGE"], environment["BORG_API_SESSIONS"]) == (
        str(without != "page").lower(),
        str(without != "sessions").lower(),
    )


def test_with_a_certificate_all_speak_tls_to_the_facade(everything: list[Object]) -> None:
    spec = pod_specs(everything)["backups-borg-operator-api"]
    (container,) = spec["containers"]
    probes = [container[kind]["httpGet"]["scheme"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert probes == ["HTTPS"] * 3
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["BORG_API_TLS_CERTIFICATE"] == "/tls/tls.crt"
    assert environment["BORG_API_TLS_KEY"] == "/tls/tls.key"
    assert {"name": "tls", "secret": {"secretName": "facade-tls", "defaultMode": 0o440}} in spec["volumes"]
    assert named(everything, "Service", "backups-borg-operator-api")["spec"]["ports"][0]["appProtocol"] == "https"
    (test,) = pod_specs(everything)["backups-borg-operator-test"]["containers"]
    assert any(item["value"].startswith("https://") for item in test["env"])


def test_a_digest_decides_which_image_runs(everything: list[Object]) -> None:
    (container,) = pod_specs(everything)["backups-borg-operator-api"]["containers"]
    assert container["image"] == f"ghcr.io/borg-operator/api:0.1.0@sha256:{'0' * 64}"


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1), (3, 1)])
def test_a_disruption_budget_is_for_several_replicas(replicas: int, budgets: int) -> None:
    objects = render({"api": {"replicas": replicas}})
    assert len(of_kind(objects, "PodDisruptionBudget")) == budgets
    (container,) = pod_specs(objects)["backups-borg-operator-api"]["containers"]
    assert any(item["name"] == "BORG_API_PEERS" for item in container.get("env", ())) == bool(budgets)


def test_spread_constraints_mean_the_facade_where_they_do_not_say(everything: list[Object]) -> None:
    (constraint,) = pod_specs(everything)["backups-borg-operator-api"]["topologySpreadConstraints"]
    assert constraint["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "api"


def test_replicas_reach_each_other_whoever_else_may(everything: list[Object]) -> None:
    spec = named(everything, "NetworkPolicy", "backups-borg-operator-api")["spec"]
    own = {"podSelector": spec["podSelector"]}
    assert own in spec["ingress"][0]["from"]
    assert any(own in rule.get("to", []) for rule in spec["egress"])


def test_the_pod_of_helm_test_reaches_the_facade_whoever_else_may(everything: list[Object]) -> None:
    source = named(everything, "NetworkPolicy", "backups-borg-operator-api")["spec"]["ingress"][0]["from"]
    (pod,) = (item for item in of_kind(everything, "Pod") if item["metadata"]["name"] == "backups-borg-operator-test")
    (peer,) = (item for item in source if {"podSelector", "namespaceSelector"} <= item.keys())
    assert peer["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": pod["metadata"]["namespace"]}}
    assert peer["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_egress_reaches_dns_behind_its_service_too(everything: list[Object]) -> None:
    for name in ("backups-borg-operator", "backups-borg-operator-api"):
        dns = named(everything, "NetworkPolicy", name)["spec"]["egress"][0]["ports"]
        assert {(item["protocol"], item["port"]) for item in dns} == {
            (protocol, port) for protocol in ("UDP", "TCP") for port in (53, 5353)
        }


def test_a_label_of_pods_wins_over_a_common_one() -> None:
    labels = {"team": "storage"}
    pod_labels = {"api": {"podLabels": {"team": "rest"}}, "operator": {"podLabels": labels}}
    objects = render({"commonLabels": labels, **pod_labels})
    pods = {item["metadata"]["name"]: item["spec"]["template"]["metadata"] for item in of_kind(objects, "Deployment")}
    assert pods["backups-borg-operator-api"]["labels"]["team"] == "rest"
    assert pods["backups-borg-operator"]["labels"]["team"] == "storage"


def test_the_schedule_of_helm_test_has_a_name_that_a_schedule_may_have() -> None:
    (schedule,) = of_kind(render({"fullnameOverride": "a" * 50}), "BorgSchedule")
    assert len(schedule["metadata"]["name"]) <= 52


def test_the_operator_is_asked_for_health_and_metrics_only(everything: list[Object]) -> None:
    policies = [
        item
        for item in of_kind(everything, "NetworkPolicy")
        if item["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    ]
    ports = {port["port"] for item in policies for rule in item["spec"]["ingress"] for port in rule["ports"]}
    (container,) = pod_specs(everything)["backups-borg-operator"]["containers"]
    numbers = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {numbers.get(port, port) for port in ports} == {8080, 8081}
    assert set(numbers.values()) == {8080, 8081}


def test_crds_are_kept_when_the_release_goes() -> None:
    crds = of_kind(render(), "CustomResourceDefinition")
    assert len(crds) == len(own_kinds())
    assert {crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds} == {"keep"}


def test_without_the_facade_nothing_of_it_is_left() -> None:
    objects = render({"api": {"enabled": False}})
    assert [item for item in objects if item["metadata"]["name"].endswith("-api")] == []
    assert of_kind(objects, "Deployment") != []


def test_accounts_that_exist_are_used_and_not_made() -> None:
    objects = render({"serviceAccount": {"create": False, "name": "mine"}})
    assert "mine" not in {item["metadata"]["name"] for item in of_kind(objects, "ServiceAccount")}
    assert pod_specs(objects)["backups-borg-operator"]["serviceAccountName"] == "mine"
    bound = {subject["name"] for item in of_kind(objects, "ClusterRoleBinding") for subject in item["subjects"]}
    assert bound == {"mine", "backups-borg-operator-api"}


MISTAKES: list[tuple[Object, str]] = [
    ({"operator": {"namespaces": ["a"]}}, "operator.namespaces needs operator.clusterName"),
    ({"operator": {"namespaces": ["a"]}, "api": {"defaultNamespace": "b"}}, "api.defaultNamespace"),
    ({"operator": {"namespaces": ["a"]}, "test": {"namespace": "b"}}, "test.namespace"),
    ({"api": {"ingress": {"enabled": True}}}, "api.ingress.hosts"),
    ({"api": {"httpRoute": {"enabled": True}}}, "api.httpRoute.parentRefs"),
    ({"rbac": {"rolePrefix": "backups-borg-operator-"}}, "rbac.rolePrefix"),
    ({"operatr": {}}, "operatr"),
]


@pytest.mark.parametrize(("values", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_a_mistake_is_told_by_the_name_of_its_value(values: Any, told: str) -> None:
    with pytest.raises(Refused, match=told):
        render(values)


@pytest.mark.parametrize("release", ["1borg", "a.b"])
def test_a_release_whose_name_no_service_can_have_is_refused(release: str) -> None:
    with pytest.raises(Refused, match="fullnameOverride"):
        render(release=release)
    assert render({"fullnameOverride": "backup"}, release=release)


def test_a_prefix_of_roles_that_is_the_installs_name_is_good_where_nothing_is_aggregated() -> None:
    assert render({"rbac": {"rolePrefix": "backups-borg-operator-", "aggregateToDefaultRoles": False}})


def test_chart_and_operator_refuse_namespaces_without_a_name_of_the_cluster_in_the_same_words() -> None:
    with pytest.raises(Refused) as by_chart:
        render({"operator": {"namespaces": ["a"]}})
    with pytest.raises(ConfigurationError) as by_operator:
        read_configuration({"BORG_OPERATOR_RUNNER_IMAGE": "x", "BORG_OPERATOR_NAMESPACES": "a"})
    _, _, words = str(by_operator.value).partition("BORG_OPERATOR_CLUSTER_NAME: ")
    assert f"operator.namespaces needs operator.clusterName: {words}" in str(by_chart.value)


def test_the_manifests_for_kubectl_are_the_charts_without_what_must_outlive_them() -> None:
    environment = {**os.environ, "PATH": os.pathsep.join([os.environ["PATH"], str(Path(find_helm()).parent)])}
    command = [str(REPOSITORY / "dev" / "manifests"), "check"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    applied = list(yaml.load_all((REPOSITORY / "deploy" / "install.yaml").read_text(), Loader=yaml.CSafeLoader))
    # Whoever deletes a namespace or a CRD deletes the schedules in it; a key that everybody can read is none.
    assert {item["kind"] for item in applied}.isdisjoint({"CustomResourceDefinition", "Namespace"})
    (secret,) = of_kind(applied, "Secret")  # the facade fills it
    assert secret.keys() & {"data", "stringData"} == set()
    assert len(applied) == len(
        [
            item
            for item in render({})
            if "helm.sh/hook" not in item["metadata"].get("annotations", {})
            and item["kind"] != "CustomResourceDefinition"
        ]
    )
    assert {item["metadata"]["labels"]["app.kubernetes.io/managed-by"] for item in applied} == {"kubectl"}


STRICT = {
    "usersFromPlatform": True,
    "image": {"pullSecrets": [{"name": "ours"}]},
    "backupPods": {
        "resources": {"limits": {"memory": "1Gi"}},
        "imagePullSecrets": [{"name": "theirs"}],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
        "priorityClassName": "low",
        "runtimeClassName": "kata",
        "labels": {"mesh": "off"},
        "annotations": {"price": "$5"},
    },
}


def test_where_the_platform_gives_out_users_no_pod_of_the_chart_names_one() -> None:
    for name, spec in pod_specs(render(STRICT)).items():
        for part in (spec, *spec["containers"]):
            assert not part["securityContext"].keys() & {"runAsUser", "runAsGroup", "fsGroup"}, name
        assert spec["securityContext"]["runAsNonRoot"] is True, name


def test_the_pods_of_helm_test_are_as_the_backup_pods_beside_them() -> None:
    pods = STRICT["backupPods"]
    assert isinstance(pods, dict)
    for item in of_kind(render(STRICT), "Pod"):
        spec, name = item["spec"], item["metadata"]["name"]
        same = ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName")
        assert {key: spec[key] for key in same} == {key: pods[key] for key in same}, name
        assert spec["imagePullSecrets"] == [{"name": "theirs"}, {"name": "ours"}], name
        assert spec["containers"][0]["resources"] == pods["resources"], name
        assert item["metadata"]["labels"]["mesh"] == "off", name
        assert item["metadata"]["annotations"]["price"] == "$5", name


def test_the_operator_reads_of_the_defaults_what_the_chart_was_told() -> None:
    (container,) = pod_specs(render(STRICT))["backups-borg-operator"]["containers"]
    # As the kubelet does it: $$ is a dollar.
    environment = {item["name"]: item["value"].replace("$$", "$") for item in container["env"]}
    pods = read_configuration(environment).settings.pods
    assert (pods.users_from_platform, pods.runtime_class_name) == (True, "kata")
    assert pods.options.annotations == {"price": "$5"}
    assert pods.options.resources == {"limits": {"memory": "1Gi"}}
    (plain,) = pod_specs(render())["backups-borg-operator"]["containers"]
    assert read_configuration({item["name"]: item["value"] for item in plain["env"]}).settings.pods == PodDefaults()


@pytest.mark.parametrize(("host", "url"), [("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443")])
def test_helm_test_finds_the_api_server_in_either_family(host: str, url: str) -> None:
    program = runpy.run_path(str(CHART / "files" / "test" / "backup.py"))
    assert program["api_server"]({"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443"}) == url
