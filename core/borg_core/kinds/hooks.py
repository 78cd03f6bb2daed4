"""Scripts before and after a backup: which, and with what parameters."""

from borg_core.kinds.base import Model, NameRef, SecretKeyRef


class ParameterValueSource(Model):
    secret_key_ref: SecretKeyRef


class HookParameter(Model):
    """A value for one parameter of the script: plain (`value`) or from a Secret (`valueFrom`)."""

    name: str
    value: str | None = None
    value_from: ParameterValueSource | None = None


class Hook(Model):
    script_ref: NameRef
    parameters: tuple[HookParameter, ...] = ()


class Hooks(Model):
    pre_backup: Hook | None = None
    post_backup: Hook | None = None

    @property
    def given(self) -> tuple[Hook, ...]:
        return tuple(hook for hook in (self.pre_backup, self.post_backup) if hook)
