"""Looking at objects of the cluster over a connection that stays: a test that waits looks several times a second."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from kubernetes import config

from support.cluster import Kubectl

Object = dict[str, Any]

_OK, _NOT_FOUND = 200, 404


@dataclass(frozen=True)
class _Kind:
    plural: str
    version: str
    """With its group, as in `apiVersion`."""
    name: str

    def path(self, namespace: str) -> str:
        root = "apis" if "/" in self.version else "api"
        return f"/{root}/{self.version}/namespaces/{namespace}/{self.plural}"

    def shown(self, body: Object) -> Object:
        """Return an object as kubectl shows it: one in a list does not say what it is."""
        body["metadata"].pop("managedFields", None)
        return {"apiVersion": self.version, "kind": self.name, **body}


class Reader:
    """Finds what `kubectl get` finds in a namespace, under the same names of kinds."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._client = config.new_client_from_config(kubectl.environment.get("KUBECONFIG"))  # type: ignore[no-untyped-call]

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return the object, None when there is none. Fails the test with what the API server says."""
        found = self._kinds[kind.lower()]
        body = self._ask(f"{found.path(namespace)}/{name}")
        return None if body is None else found.shown(body)

    def items(self, kind: str, namespace: str, selector: str) -> list[Object]:
        """Return the objects that have the labels. Fails the test with what the API server says."""
        found = self._kinds[kind.lower()]
        answer = self._ask(found.path(namespace), [("labelSelector", selector)]) or {"items": []}
        return [found.shown(item) for item in answer["items"]]

    def _ask(self, path: str, query: list[tuple[str, str]] | None = None) -> Object | None:
        request = self._client.param_serialize("GET", path, query_params=query or [], auth_settings=["BearerToken"])
        answer = self._client.call_api(*request)
        body: Object = json.loads(answer.read())
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != _OK:
            pytest.fail(f"GET {path}: {body}")
        return body

    @cached_property
    def _kinds(self) -> dict[str, _Kind]:
        """Each by its plural, also with its group, by its singular and by its short names."""
        found: dict[str, _Kind] = {}
        for line in self._kubectl("api-resources", "--no-headers", "--namespaced").stdout.splitlines():
            plural, *short, version, _, name = line.split()
            kind = _Kind(plural, version, name)
            group = version.rpartition("/")[0]
            for known in (plural, f"{plural}.{group}", name.lower(), *",".join(short).split(",")):
                found.setdefault(known, kind)
        return found
