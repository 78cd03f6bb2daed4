"""Whether the scripts around a backup exist, and get the parameters that they take."""

from collections.abc import Iterator

from borg_contract.reasons import Reason
from borg_core.kinds.parts.hooks import Hook
from borg_core.kinds.script import BorgScript, ParameterType
from borg_core.policies.problem import Problem, Severity
from borg_core.workload.workload import Workload


def find_script_problems(workload: Workload) -> Iterator[Problem]:
    for hook in workload.all_hooks:
        script = workload.scripts.get(hook.script_ref.name)
        if script is None:
            message = (
                f'BorgScript "{hook.script_ref.name}" does not exist in namespace "{workload.namespace}": create it'
            )
            yield Problem(Reason.SCRIPT_NOT_FOUND, message, Severity.WAITING)
        else:
            for message in find_parameter_problems(hook, script):
                yield Problem(Reason.INVALID_PARAMETERS, message)


def find_parameter_problems(hook: Hook, script: BorgScript) -> Iterator[str]:
    """Yield a sentence for each parameter of `hook` that `script` does not take, lacks, or takes another way."""
    name = script.metadata.name
    declared = {parameter.name: parameter for parameter in script.spec.parameters}
    given = {parameter.name for parameter in hook.parameters}
    for parameter in hook.parameters:
        if parameter.name not in declared:
            known = ", ".join(declared) or "none"
            yield f'BorgScript "{name}" has no parameter "{parameter.name}" (it takes: {known})'
        elif declared[parameter.name].type is ParameterType.PASSWORD and parameter.value_from is None:
            yield (
                f'parameter "{parameter.name}" of BorgScript "{name}" is a Password: give it by '
                "valueFrom.secretKeyRef, not as plain text"
            )
    for parameter_name, declaration in declared.items():
        if declaration.required and declaration.default is None and parameter_name not in given:
            yield f'BorgScript "{name}" needs parameter "{parameter_name}"'
