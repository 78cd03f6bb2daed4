"""What clients send about a schedule, as types. Absent, null and given are three things: see `given`."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
    with_config,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from borg_api.edge.errors import InvalidValueError
from borg_contract.retention import DEFAULTS
from borg_core.kinds.parts.names import TITLE_LIMIT

_LARGEST_ID = 2**53 - 1
_STRICT = ConfigDict(strict=True)

WITHIN = "prune_keep_within"
SPEC_FIELDS = {f"prune_{name}": to_camel(name) for name in DEFAULTS}
"""Every rule of prune by REST's name, with what it is called in a resource: REST has the contract's, in its words."""


def as_whole(value: Any) -> Any:
    """Return 7 for 7.0, which JSON does not tell apart; Python does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Count = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(as_whole)]


def _field(name: str) -> Any:
    if f"prune_{name}" == WITHIN:
        return str | None, Field(default=None, max_length=8, description="Borg's interval: 7d, 12H.")
    return _Count | None, Field(default=None, description=f"Default {DEFAULTS[name]}.")


if TYPE_CHECKING:

    class RuleFields(BaseModel):
        """The rules as a client sends them."""

    class Rules(TypedDict):
        """The rules as answers show them."""

else:
    _FIELDS = {f"prune_{name}": _field(name) for name in DEFAULTS}
    RuleFields = create_model("RuleFields", __config__=ConfigDict(strict=True), **_FIELDS)
    Rules = TypedDict("Rules", {name: str | None if name == WITHIN else int for name in SPEC_FIELDS})

Id = Annotated[int, Field(ge=0, le=_LARGEST_ID), BeforeValidator(as_whole)]


def _trim(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


Title = Annotated[str, Field(min_length=1, max_length=TITLE_LIMIT), BeforeValidator(_trim)]
"""Trimmed first: blanks around it do not count."""


@with_config(_STRICT)
class SecretKey(TypedDict):
    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._-]+$")]


@with_config(_STRICT)
class SecretParameter(TypedDict):
    """The value of a Password parameter: where it stands, never the value itself."""

    secretKeyRef: SecretKey


def _kind_of(value: Any) -> str:
    return "<secret>" if isinstance(value, dict) else "<text>"


ParameterValue = Annotated[
    Annotated[str, Field(max_length=4096), Tag("<text>")] | Annotated[SecretParameter, Tag("<secret>")],
    Discriminator(_kind_of),
]
Parameters = dict[str, ParameterValue]


class ScheduleFields(RuleFields):
    """Every field of a schedule that a client can set. Unknown keys are ignored."""

    model_config = ConfigDict(strict=True, json_schema_extra={"examples": [{"enabled": False}]})

    name: Title | None = Field(default=None, description="Unique in its namespace; trimmed.")
    cron_expression: str | None = Field(
        default=None, min_length=1, max_length=512, description="What a Kubernetes CronJob takes."
    )
    schedule_mode: Literal["cron"] | None = Field(
        default=None, description="Of Borg UI's modes the one that there is: at the times of cron_expression."
    )
    timezone: str | None = Field(default=None, min_length=1, max_length=64, description="IANA; default UTC.")
    repository: str | None = Field(
        default=None, max_length=4096, description="A repository's location or name; the first target."
    )
    repository_id: Id | None = Field(default=None, description="A target after `repository`.")
    repository_ids: list[Id] | None = Field(
        default=None, max_length=256, description="Targets in order, after the other two; duplicates are dropped."
    )
    enabled: bool | None = Field(default=None, description="Default true.")
    description: str | None = Field(default=None, max_length=4096)
    archive_name_template: str | None = Field(
        default=None,
        max_length=200,
        description="Placeholders: {job_name}, {repo_name}, {now}, {date}, {time}, {timestamp}.",
    )
    run_repository_scripts: bool | None = Field(default=None, description="Default false.")
    pre_backup_script_id: Id | None = None
    post_backup_script_id: Id | None = None
    pre_backup_script_parameters: Parameters | None = None
    post_backup_script_parameters: Parameters | None = None
    run_prune_after: bool | None = Field(default=None, description="Default false.")
    run_compact_after: bool | None = Field(default=None, description="Default false.")

    @model_validator(mode="before")
    @classmethod
    def _refuse_other_modes(cls, sent: Any) -> Any:
        """Say that first: with another mode Borg UI's client sends no times, and those would seem to be at fault."""
        if isinstance(sent, dict) and sent.get("schedule_mode") not in (None, "cron"):
            raise InvalidValueError(
                "A schedule runs at the times of its cron expression, and waits for no source: choose times for it.",
                "/schedule_mode",
            )
        return sent

    @property
    def given(self) -> dict[str, Any]:
        """The fields that were sent, null included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class NewSchedule(ScheduleFields):
    """A schedule to create: name, cron_expression and at least one target are needed."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["repository"], "properties": {"repository": {"type": "string"}}},
                {"required": ["repository_id"], "properties": {"repository_id": {"type": "integer"}}},
                {"required": ["repository_ids"], "properties": {"repository_ids": {"type": "array", "minItems": 1}}},
            ],
            "examples": [
                {
                    "name": "Daily Backup",
                    "cron_expression": "0 2 * * *",
                    "repository_ids": [1, 2],
                    "enabled": True,
                    "description": "Daily backup at 2 AM",
                    "archive_name_template": "{job_name}-{now}",
                    "run_prune_after": True,
                    "prune_keep_daily": 7,
                    "prune_keep_weekly": 4,
                    "prune_keep_monthly": 6,
                }
            ],
        }
    )

    name: Title = Field(description="Unique in its namespace; trimmed.")
    cron_expression: str = Field(
        min_length=1,
        max_length=512,
        description="What a Kubernetes CronJob takes, and `H` for a value that is chosen by the name.",
    )
