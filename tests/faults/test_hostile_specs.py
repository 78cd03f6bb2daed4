"""Hostile specs against the real API server: refused there in words, or good all the way down to the runner.

Whatever admission lets in is read by our models and planned; the CronJob or Job that comes of it is taken by the API
server, and its plan says in the runner what the resource said. Everything is a dry run, over many connections.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from borg_contract.archive_name import find_template_problems
from borg_contract.codec import decode_plan
from borg_contract.plan import RunPlan
from borg_contract.pod import PLAN_ENV
from borg_contract.reasons import Reason
from borg_core.actions import CreateCronJob, CreateJob, PatchStatus, Plan
from borg_core.clock import CronError, CronSchedule
from borg_core.clock.hashed import is_hashed, resolve
from borg_core.kinds.repository import REPOSITORIES, BorgRepository
from borg_core.kinds.run import RUNS, BorgRun
from borg_core.kinds.schedule import SCHEDULES, BorgSchedule
from borg_core.kinds.script import SCRIPTS, BorgScript
from borg_core.native.cron_job import CRON_JOBS, parse_cron_job
from borg_core.native.job import JOBS
from borg_core.quantity import parse_quantity
from borg_core.reconcile.repository import Surroundings, plan_repository
from borg_core.reconcile.schedule import plan_schedule
from borg_core.registry import Reference, ResourceType, find_kind
from borg_core.runs.world import World
from borg_core.settings import Settings
from borg_core.workload.bundle import Bundle
from borg_core.workload.mounts import derive_claims
from borg_core.workload.plan import render_plan
from borg_core.workload.workload import Target, Workload
from faults.specs import NAMES, VALID, Case, make_cases
from support.builders import NOW, observed
from support.control_plane import ControlPlane

NAMESPACE = "default"
SETTINGS = Settings("runner:1", allow_host_path=True, allowed_images=("*",), cluster="here")
CONNECTIONS = 12
SHORT, LONG = 600, 10_000
DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Plane:
    """The API server, asked for dry runs."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def make(self, kind: ResourceType, manifest: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the answer to a creation."""
        body = json.dumps(manifest)
        headers = {"Content-Type": "application/json"}
        url = f"{self._url}{kind.path(NAMESPACE)}?dryRun=All"
        async with self._session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json()
