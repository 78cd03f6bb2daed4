"""What clients send to have something restored, or to see what that would do. Unknown keys are ignored."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from borg_api.resources.schedules.request import Id

_TARGETS: tuple[dict[str, Any], ...] = (
    {"required": ["repository"], "properties": {"repository": {"type": "string"}}},
    {"required": ["repository_id"], "properties": {"repository_id": {"type": "integer"}}},
)
_PREVIEWED: dict[str, Any] = {"required": ["preview_id"], "properties": {"preview_id": {"type": "integer"}}}
_EXAMPLE: dict[str, Any] = {
    "repository_id": 1,
    "archive": "nightly-2026-11-24T03:00:02",
    "paths": ["sources/data/etc/app.conf"],
    "destination": "app-data",
    "destination_type": "claim",
    "restore_layout": "preserve_path",
}
_Path = Annotated[str, Field(max_length=4096)]


def _with_archive(target: dict[str, Any]) -> dict[str, Any]:
    properties = {"archive": {"type": "string"}, **target["properties"]}
    return {"required": ["archive", *target["required"]], "properties": properties}


class PathMetadata(BaseModel):
    """Of what type a path is, as looking into archives tells it."""

    model_config = ConfigDict(strict=True)

    path: _Path
    type: Literal["file", "directory", "symlink", "fifo", "character device", "block device", "socket"]


class RestoreFields(BaseModel):
    """What to restore, and where."""

    model_config = ConfigDict(strict=True)

    repository: str | None = Field(default=None, max_length=4096, description="The repository's location or name.")
    repository_id: Id | None = Field(default=None, description="In place of `repository`.")
    archive: str | None = Field(default=None, min_length=1, max_length=255, description="Its name, or borg's id of it.")
    paths: list[_Path] = Field(
        default_factory=list,
        max_length=256,
        description="As in the archive, `sources/data/etc/app.conf`, or below the source; all by default.",
    )
    exclude: list[Annotated[str, Field(min_length=1, max_length=1024)]] = Field(
        default_factory=list, max_length=64, description="Borg's patterns, for paths below the source."
    )
    source: str | None = Field(
        default=None, min_length=1, max_length=63, description="Which of the archive's; then all paths are below it."
    )
    destination: str = Field(
        default="/",
        max_length=1280,
        description="A claim, perhaps with a folder in it: `app-data/restored`. `/`: the claim that was backed up.",
    )
    destination_type: Literal["claim", "new_claim", "local"] = Field(
        default="claim",
        description="`new_claim`: the destination is the name of a claim to make. `local`: Borg UI's word for a claim.",
    )
    restore_layout: Literal["preserve_path", "contents_only"] = Field(
        default="preserve_path", description="`contents_only` is taken where the two make no difference."
    )
    path_metadata: list[PathMetadata] = Field(
        default_factory=list, max_length=256, description="Which paths are folders, for `contents_only`."
    )
    mode: Literal["Merge", "OnlyMissing", "Mirror"] = "Merge"
    writers: Literal["Refuse", "ScaleDown", "Ignore"] = "Refuse"
    ownership: Literal["Keep", "RunAs"] = "Keep"
    undo: bool = True
    verify: bool = True


class PreviewFields(RestoreFields):
    """A restore to be shown, and not done."""

    model_config = ConfigDict(json_schema_extra={"anyOf": list(_TARGETS), "examples": [_EXAMPLE]})

    archive: str = Field(min_length=1, max_length=255, description="Its name, or borg's id of it.")


class StartFields(RestoreFields):
    """A restore to be done: one that a preview shows, or one that is told here."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [_PREVIEWED, *map(_with_archive, _TARGETS)], "examples": [_EXAMPLE]}
    )

    preview_id: Id | None = Field(
        default=None,
        description="Let happen what this preview (`job_id`) shows. What else is sent of a restore has to be "
        "all of it, and that one.",
    )
    preview_digest: str | None = Field(
        default=None, max_length=64, description="What the preview showed: needed once an approved one is out of date."
    )
    dry_run: bool = Field(default=False, description="As a preview does.")

    @property
    def tells_restore(self) -> bool:
        """Whether anything is told of a restore that a preview has to be compared with."""
        return bool(self.model_fields_set & RestoreFields.model_fields.keys())

    @property
    def names_archive(self) -> bool:
        return self.archive is not None and (self.repository, self.repository_id) != (None, None)
