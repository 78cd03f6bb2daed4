"""An API server in memory: it does what it is asked, writes down each request, and fails as it is told.

Of the real one it has what the operator leans on: versions, uids, preconditions, selectors, the status apart from the
rest, objects that stay until what belongs to them is gone. Kubernetes' controllers are not in it: see `controllers`.
"""

import marshal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from borg_cluster.client import ApiServer, Object
from borg_cluster.errors import AlreadyExists, Conflict, Invalid, NotFound
from borg_core import labels
from borg_core.formats import format_time
from borg_core.registry import ResourceType
from support.builders import NOW

Key = tuple[str, str, str]
"""(kind, namespace, name)."""

T = TypeVar("T")

WITHOUT_STATUS = ("Event", "PersistentVolumeClaim", "BorgScript", "BorgArchive")


def copied(body: T) -> T:
    """Return a deep copy of plain JSON: many times faster than `copy`."""
    plain: Any = body
    found: T = marshal.loads(marshal.dumps(plain))
    return found


class CrashError(BaseException):
    """The process that made the request died: nothing of it goes on."""


@dataclass(frozen=True)
class Request:
    verb: str
    kind: str
    namespace: str
    name: str
    subresource: str = ""
    body: Any = None

    @property
    def writes(self) -> bool:
        return self.verb not in ("get", "list")

    def __str__(self) -> str:
        target = f"{self.kind}/{self.subresource}" if self.subresource else self.kind
        return f"{self.verb} {target} {self.name}".rstrip()


@dataclass(frozen=True)
class Fault:
    """What becomes of a request. `after`: it took effect, and only the answer was lost."""

    error: BaseException
    after: bool = False


@dataclass(frozen=True)
class News:
    """What a watch would show: ADDED, MODIFIED or DELETED."""

    type: str
    kind: str
    body: Object


Refuse = Callable[[Request], BaseException | None]


@dataclass
class Recorder(ApiServer):
    """`faults`: by the number of the request, from 0; `refuse`: for as long as it says so; `on_news`: the watches."""

    faults: dict[int, Fault] = field(default_factory=dict)
    refuse: Refuse = lambda _: None
    now: datetime = NOW
    on_news: Callable[[News], None] = lambda _: None
    on_request: Callable[[Request], None] = lambda _: None
    """Told before each request is done: what else may happen in the cluster meanwhile."""
    admit: Callable[[str, Object], Object] = lambda _, body: body
    """What admission makes of an object of that kind that is created."""

    def __post_init__(self) -> None:
        self.objects: dict[Key, Object] = {}
        self.requests: list[Request] = []
        self.version = 100
        """Of the last change."""
        self._uids = count(1)

    # What a test puts in and looks at

    def add(self, kind: str, body: Object) -> Object:
        """Put an object in as somebody else; its uid stays if it has one."""
        return self._store(kind, body, generated=False)

    def find(self, kind: str, name: str, namespace: str = "team") -> Object:
        """Return the object. Raises KeyError when there is none."""
        return self.objects[kind, namespace, name]

    def all_of(self, kind: str) -> list[Object]:
        return [body for _, body in sorted(item for item in self.objects.items() if item[0][0] == kind)]

    def names(self, kind: str) -> list[str]:
        return [body["metadata"]["name"] for body in self.all_of(kind)]

    def edit(self, kind: str, name: str, change: Object, manager: str = "", namespace: str = "team") -> None:
        """Merge a change in as somebody else. `manager`: who holds fields of the spec from then on."""
        body = copied(self.objects[kind, namespace, name])
        merged = patched(body, change)
        if manager:
            entry = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {}}}
            merged["metadata"].setdefault("managedFields", []).append(entry)
        self._replace((kind, namespace, name), merged)

    def ask_to_go(self, kind: str, name: str, namespace: str = "team") -> None:
        """Delete an object as somebody else: it stays as long as it has finalizers."""
        self.edit(kind, name, {"metadata": {"deletionTimestamp": format_time(self.now)}}, namespace=namespace)

    def remove(self, kind: str, name: str, namespace: str = "team") -> None:
        """Take an object away for good, and tell."""
        self._remove((kind, namespace, name))

    @property
    def writes(self) -> list[str]:
        """All requests that change something, in words."""
        return [str(request) for request in self.requests if request.writes]

    # What the operator asks

    async def get(
        self, resource: ResourceType, namespace: str, name: str, subresource: str | None = None
    ) -> Object | None:
        def read() -> Object | None:
            return copied(self.objects.get((resource.kind, namespace, name)))

        return self._do(Request("get", resource.kind, namespace, name, subresource or ""), read)

    async def list_labelled(
        self, resource: ResourceType, namespace: str, label_selector: str, field_selector: str = ""
    ) -> list[Object]:
        def read() -> list[Object]:
            return [
                copied(body)
                for body in self.all_of(resource.kind)
                if body["metadata"]["namespace"] == namespace
                and _selects(label_selector, body["metadata"].get("labels", {}))
                and _selects(field_selector, body)
            ]

        return self._do(Request("list", resource.kind, namespace, label_selector or field_selector), read)

    async def list_page(self, resource: ResourceType, namespace: str | None, *_: Any, **__: Any) -> Object:
        def read() -> Object:
            items = [body for body in self.all_of(resource.kind) if namespace in (None, body["metadata"]["namespace"])]
            return {"metadata": {}, "items": copied(items)}

        return self._do(Request("list", resource.kind, namespace or "", ""), read)

    async def create(self, resource: ResourceType, manifest: Object) -> Object:
        metadata = manifest["metadata"]
        name = metadata.get("name") or f"{metadata['generateName']}{next(self._uids)}"
        body = copied(manifest)
        body["metadata"]["name"] = name

        def write() -> Object:
            if (resource.kind, metadata["namespace"], name) in self.objects:
                raise AlreadyExists(f'{resource.plural} "{name}" already exists')
            return copied(self._store(resource.kind, body))

        return self._do(Request("create", resource.kind, metadata["namespace"], name, body=manifest), write)

    async def replace(self, resource: ResourceType, manifest: Object) -> Object:
        metadata = manifest["metadata"]
        key = (resource.kind, metadata["namespace"], metadata["name"])

        def write() -> Object:
            self._check(key, metadata)
            before, after = self.objects[key], copied(manifest)
            found = _only(before, after, "", resource.kind)
            # Others keep fields whose values stay, until an update leaves out their entries; [{}] leaves out all.
            found["metadata"]["managedFields"] = [
                entry for entry in found["metadata"].get("managedFields", []) if entry
            ]
            return self._replace(key, found)

        return self._do(Request("replace", *key, "", manifest), write)

    async def merge(
        self, resource: ResourceType, namespace: str, name: str, patch: Object, subresource: str | None = None
    ) -> Object:
        key = (resource.kind, namespace, name)

        def write() -> Object:
            self._check(key, patch.get("metadata", {}), is_patch=True)
            before = self.objects[key]
            merged = patched(copied(before), patch)
            merged["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"]
            return self._replace(key, _only(before, merged, subresource or "", resource.kind))

        return self._do(Request("merge", *key, subresource or "", patch), write)

    async def delete(
        self,
        resource: ResourceType,
        namespace: str,
        name: str,
        uid: str,
        version: str | None = None,
        *,
        propagation: str = "Background",
    ) -> None:
        key = (resource.kind, namespace, name)

        def write() -> None:
            self._check(key, {"uid": uid, **({"resourceVersion": version} if version else {})})
            body = copied(self.objects[key])
            if propagation == "Foreground" and any(self._owned_by(uid)):
                body["metadata"].setdefault("deletionTimestamp", format_time(self.now))
                self._replace(key, body)
            else:
                self._remove(key)

        self._do(Request("delete", *key, propagation), write)

    # How it does it

    def _do(self, request: Request, act: Callable[[], T]) -> T:
        number = len(self.requests)
        self.requests.append(request)
        self.on_request(request)
        fault = self.faults.get(number)
        if fault and not fault.after:
            raise fault.error
        if refusal := self.refuse(request):
            raise refusal
        found = act()
        if fault:
            raise fault.error
        return found

    def _check(self, key: Key, preconditions: Object, *, is_patch: bool = False) -> None:
        if key not in self.objects:
            raise NotFound(f'{key[0]} "{key[2]}" not found', reason="NotFound")
        metadata = self.objects[key]["metadata"]
        for precondition in ("uid", "resourceVersion"):
            if preconditions.get(precondition, metadata[precondition]) != metadata[precondition]:
                message = f'the {precondition} of {key[0]} "{key[2]}" is another one'
                if is_patch and precondition == "uid":
                    raise Invalid(message, details={"causes": [{"field": "metadata.uid"}]})
                raise Conflict(message)

    def _store(self, kind: str, body: Object, *, generated: bool = True) -> Object:
        made = self.admit(kind, copied(body))
        metadata = made["metadata"]
        if generated:
            made.pop("status", None)
            metadata["uid"] = f"{kind.lower()}-{next(self._uids)}"
        metadata |= {"resourceVersion": self._next_version(), "generation": 1}
        metadata.setdefault("uid", f"{kind.lower()}-{next(self._uids)}")
        if generated or "creationTimestamp" not in metadata:
            metadata["creationTimestamp"] = format_time(self.now)
        made.setdefault("kind", kind)
        if kind not in WITHOUT_STATUS:
            made.setdefault("status", {})
        self.objects[kind, metadata["namespace"], metadata["name"]] = made
        self._tell("ADDED", kind, made)
        return made

    def _next_version(self) -> str:
        self.version += 1
        return str(self.version)

    def _replace(self, key: Key, body: Object) -> Object:
        before = self.objects[key]
        if body == before:
            return copied(before)  # what changes nothing makes no new version
        if body.get("spec") != before.get("spec"):
            body["metadata"]["generation"] = before["metadata"].get("generation", 1) + 1
        _check_schema(key, body)
        body["metadata"]["resourceVersion"] = self._next_version()
        self.objects[key] = body
        metadata = body["metadata"]
        if key[0] not in ("Job", "Pod") and "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self._remove(key)
            return copied(body)
        self._tell("MODIFIED", key[0], body, before)
        return copied(body)

    def _remove(self, key: Key) -> None:
        body = copied(self.objects.pop(key))
        body["metadata"]["resourceVersion"] = self._next_version()
        self._tell("DELETED", key[0], body)
        self._finish_foreground()

    def _finish_foreground(self) -> None:
        for key, body in list(self.objects.items()):
            if (
                "deletionTimestamp" in body["metadata"]
                and key[0] == "Job"
                and not any(self._owned_by(body["metadata"]["uid"]))
            ):
                self._remove(key)

    def _owned_by(self, uid: str) -> Iterator[Object]:
        for body in self.objects.values():
            if any(owner["uid"] == uid for owner in body["metadata"].get("ownerReferences", [])):
                yield body

    def collect_garbage(self) -> None:
        """Take away what belonged to something that is gone or waits for that; pods go when their node says so."""
        uids = {b["metadata"]["uid"] for b in self.objects.values() if "deletionTimestamp" not in b["metadata"]}
        for key, body in list(self.objects.items()):
            owners = [owner["uid"] for owner in body["metadata"].get("ownerReferences", [])]
            if not owners or any(uid in uids for uid in owners):
                continue
            if key[0] == "Pod":
                if "deletionTimestamp" not in body["metadata"]:
                    gone = {"metadata": {"deletionTimestamp": format_time(self.now)}}
                    self._replace(key, patched(copied(body), gone))
            else:
                self._remove(key)

    def _tell(self, type_: str, kind: str, body: Object, before: Object | None = None) -> None:
        """Tell the watches, which see only what is ours: a label that goes looks like a deletion."""
        is_ours, was_ours = _is_watched(kind, body), before is None or _is_watched(kind, before)
        if type_ == "MODIFIED" and is_ours != was_ours:
            type_ = "ADDED" if is_ours else "DELETED"
        elif not is_ours:
            return
        self.on_news(News(type_, kind, copied(body)))


def _check_schema(key: Key, body: Object) -> None:
    """Refuse the little of what the real one refuses that a careless patch may do."""
    active = body.get("status", {}).get("active", [])
    if key[0] == "CronJob" and not all(entry.get("uid") and entry.get("name") for entry in active):
        raise Invalid("status.active: a reference without uid or name")


def _only(before: Object, after: Object, subresource: str, kind: str) -> Object:
    """Return the object with what a request on that subresource may change."""
    if kind in WITHOUT_STATUS:
        return after
    if subresource:  # of a workload its scale: how many replicas
        part = "status" if subresource == "status" else "spec"
        return {**copied(before), part: after.get(part, {})}
    return {**after, "status": copied(before.get("status", {}))}


def patched(target: Any, patch: Any) -> Any:
    """Return the target after a merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return copied(patch)
    result = target if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result


def _selects(selector: str, values: Any) -> bool:
    """Tell whether `a=b,c!=d` holds: of labels by name, of fields by their path."""
    for part in filter(None, selector.split(",")):
        path, negated, value = part.partition("!=")
        if not negated:
            path, _, value = part.partition("=")
        found: Any = values.get(path)
        if found is None:
            found = values
            for step in path.split("."):
                found = found.get(step, {}) if isinstance(found, dict) else {}
        if (found == value) is bool(negated):
            return False
    return True


def _is_watched(kind: str, body: Object) -> bool:
    if kind not in ("Job", "CronJob", "Pod"):
        return True
    return bool(body["metadata"].get("labels", {}).get(labels.MANAGED_BY) == labels.MANAGER)
