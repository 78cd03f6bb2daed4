"""The Job of a session, and the NetworkPolicy that admits the facade to its pod and nobody else."""

from dataclasses import replace
from typing import Any

from borg_contract.codec import encode
from borg_contract.session.plan import (
    READY_PATH,
    SESSION_COMMAND,
    SESSION_CONTAINER_NAME,
    SESSION_GRACE_SECONDS,
    SESSION_PLAN_ENV,
    SESSION_PORT,
    SessionPlan,
)
from borg_core import labels
from borg_core.kinds.repository import BorgRepository
from borg_core.kinds.session import SESSIONS, BorgSession
from borg_core.names import JOB_NAME_LIMIT, shorten
from borg_core.native.job import JOBS
from borg_core.native.unwatched import NETWORK_POLICIES
from borg_core.sessions.facts import Facts
from borg_core.settings import FacadePods, Settings
from borg_core.workload.job import DEADLINE_SLACK_SECONDS, render_job_spec
from borg_core.workload.owner import RUN, Owner, render_owner
from borg_core.workload.plan import render_plan
from borg_core.workload.pod import Program, render_program

_PORT_NAME = "http"
_UID_LENGTH = 8
_END_SLACK_SECONDS = 60
"""The pod's own deadline comes so much after the time at which its program ends by itself."""


def derive_job_name(session: BorgSession) -> str:
    """Return the name of its Job and NetworkPolicy: another one for each session, also for one made anew."""
    metadata = session.metadata
    return shorten(f"session-{metadata.name}", f"-{metadata.uid[:_UID_LENGTH]}", JOB_NAME_LIMIT)


def render_job(facts: Facts, keys: tuple[str, ...], settings: Settings) -> dict[str, Any]:
    """Return the Job; `keys`: whom its pod obeys. Raises ValueError where there is no repository."""
    session, repository = facts.session, facts.repository
    if repository is None:
        raise ValueError(f"{session.metadata.name} has no repository")
    plan = _plan(facts, keys, settings)
    workload = replace(
        facts.workload,
        deadline_seconds=session.spec.max_seconds + _END_SLACK_SECONDS,
        scratch_bytes=plan.scratch_bytes,
    )
    program = Program(
        SESSION_CONTAINER_NAME,
        {SESSION_PLAN_ENV: encode(plan)},
        {
            "httpGet": {"path": READY_PATH, "port": _PORT_NAME, "scheme": "HTTP"},
            "periodSeconds": 1,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
            "successThreshold": 1,
        },
        SESSION_GRACE_SECONDS,
        SESSION_COMMAND,
        {_PORT_NAME: SESSION_PORT},
    )
    marks = {**_marks(session), labels.SESSION_UID: session.metadata.uid}
    # Where runs are at work there is the repository's volume, if it can be on one node at a time.
    near = {labels.NAME: RUN} if _has_claims(repository) else None
    template = render_program(program, workload, settings, marks, near=near)
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "metadata": _metadata(session),
        "spec": render_job_spec(template, session.spec.max_seconds + DEADLINE_SLACK_SECONDS),
    }


def render_network_policy(session: BorgSession, repository: BorgRepository, facade: FacadePods) -> dict[str, Any]:
    """Return what lets the facade's pods in, and nobody else; and where all is on volumes, nothing out."""
    facade_pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": facade.namespace}},
        "podSelector": {"matchLabels": dict(facade.labels)},
    }
    is_local = repository.spec.local is not None
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": NETWORK_POLICIES.kind,
        "metadata": _metadata(session),
        "spec": {
            "podSelector": {"matchLabels": {labels.SESSION_UID: session.metadata.uid}},
            "policyTypes": ["Ingress", "Egress"] if is_local else ["Ingress"],
            "ingress": [{"from": [facade_pods], "ports": [{"protocol": "TCP", "port": _PORT_NAME}]}],
        },
    }


def _plan(facts: Facts, keys: tuple[str, ...], settings: Settings) -> SessionPlan:
    session = facts.session
    (repository,) = render_plan(facts.workload, cluster=settings.cluster).repositories
    return SessionPlan(
        namespace=session.metadata.namespace,
        name=session.metadata.name,
        uid=session.metadata.uid,
        repository=repository,
        public_keys=keys,
        cluster=settings.cluster,
        idle_seconds=session.spec.idle_seconds,
        max_seconds=session.spec.max_seconds,
    )


def _metadata(session: BorgSession) -> dict[str, Any]:
    owner = Owner.of(SESSIONS, *session.metadata.key, session.metadata.uid)
    return {
        "name": derive_job_name(session),
        "namespace": session.metadata.namespace,
        "labels": _marks(session),
        "ownerReferences": [render_owner(owner)],
    }


def _marks(session: BorgSession) -> dict[str, str]:
    return {
        labels.NAME: "borg-session",
        labels.MANAGED_BY: labels.MANAGER,
        labels.SESSION: session.metadata.name,
    }


def _has_claims(repository: BorgRepository) -> bool:
    return repository.spec.local is not None or repository.spec.cache is not None
