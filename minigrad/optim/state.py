"""What optimisers and schedules keep, as arrays and as values that JSON can hold.

States may come from files, and files from anywhere: all that is in them is held against the
optimiser before anything is taken over.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from minigrad import device
from minigrad.autograd import as_array
from minigrad.gpu import is_gpu_array
from minigrad.nn import Parameter
from minigrad.optim import updates
from minigrad.optim.options import is_number, is_whole, plain

Groups = list[dict[str, Any]]
Memory = dict[Parameter, dict[str, np.ndarray]]

COUNT = "step"  # all else that is remembered is like the parameter


def of_optimizer(name: str, groups: Groups, memory: Memory) -> dict[str, dict[str, Any]]:
    """Make the state of an optimiser; see `Optimizer.state_dict`."""
    arrays = {
        f"{number}.{key}": array
        for number, parameter in _numbered(groups)
        for key, array in memory.get(parameter, {}).items()
    }
    described = [
        {
            "options": _options(group),
            "parameters": [
                {**_description(parameter), "state": sorted(memory.get(parameter, {}))}
                for parameter in group["params"]
            ],
        }
        for group in groups
    ]
    return {"arrays": arrays, "values": {"optimizer": name, "groups": described}}


def _numbered(groups: Groups) -> Iterator[tuple[int, Parameter]]:
    return enumerate(parameter for group in groups for parameter in group["params"])


def _options(group: Mapping[str, Any]) -> dict[str, Any]:
    """Return a group's options as JSON gives them back."""
    options = plain({name: value for name, value in group.items() if name != "params"})
    return {n: list(v) if isinstance(v, tuple) else v for n, v in options.items()}


def _description(parameter: Parameter) -> dict[str, Any]:
    return {"shape": list(parameter.shape), "dtype": str(parameter.dtype)}


# -- taking a state up ---------------------------------------------------------------------------


def misfits(
    name: str, groups: Groups, check_options: Callable[[Mapping[str, Any]], None], state: Any
) -> list[str]:
    """List all that keeps a state from being taken up by an optimiser."""
    arrays, values = parts(state)
    if arrays is None or values is None:
        return ['a state is {"arrays": {...}, "values": {...}}']
    if values.get("optimizer") != name:
        return [f"it is the state of {values.get('optimizer')!r}"]
    given = values.get("groups")
    if not isinstance(given, list) or len(given) != len(groups):
        return [f"groups: {_count(given)}, needs {len(groups)}"]
    pairs = list(zip(groups, given, strict=True))
    problems = [
        f"group {i}: {problem}"
        for i, (group, each) in enumerate(pairs)
        for problem in _form_misfits(group, each)
    ]
    if problems:  # nothing else can be looked at
        return problems
    problems = [
        f"group {i}: {problem}"
        for i, (group, each) in enumerate(pairs)
        for problem in _option_misfits(group, each["options"], check_options)
    ]
    wanted: dict[str, Parameter] = {}
    described = (description for each in given for description in each["parameters"])
    for (number, parameter), description in zip(_numbered(groups), described, strict=True):
        needed = _description(parameter)
        problems += [
            f"parameter {number}: {what} {description.get(what)}, needs {right}"
            for what, right in needed.items()
            if description.get(what) != right
        ]
        wanted |= {f"{number}.{key}": parameter for key in description["state"]}
    return problems + _array_misfits(wanted, arrays)


def parts(state: Any) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Take a state apart into arrays and values; what is no mapping is None."""
    found = state if isinstance(state, Mapping) else {}
    arrays, values = found.get("arrays"), found.get("values")
    return (
        arrays if isinstance(arrays, Mapping) else None,
        values if isinstance(values, Mapping) else None,
    )


def _count(given: Any) -> str:
    return f"there are {len(given)}" if isinstance(given, list) else "there is no list of them"


def _form_misfits(group: Mapping[str, Any], given: Any) -> Iterator[str]:
    """Look whether a group has the form of one."""
    if not isinstance(given, Mapping) or not isinstance(given.get("options"), Mapping):
        yield "it has no options"
        return
    described = given.get("parameters")
    if not isinstance(described, list) or len(described) != len(group["params"]):
        yield f"parameters: {_count(described)}, needs {len(group['params'])}"
        return
    for i, each in enumerate(described):
        keys = each.get("state") if isinstance(each, Mapping) else None
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            yield f"its parameter {i}: what is remembered of it is not said"


def _option_misfits(
    group: Mapping[str, Any],
    given: Mapping[str, Any],
    check_options: Callable[[Mapping[str, Any]], None],
) -> list[str]:
    own = _options(group)
    problems = [f"missing option {option}" for option in own if option not in given]
    problems += [f"unexpected option {option}" for option in given if option not in own]
    if not problems:
        try:
            check_options(given)
        except ValueError as error:
            problems.append(str(error))
    return problems


def _array_misfits(wanted: Mapping[str, Parameter], arrays: Mapping[str, Any]) -> list[str]:
    problems = [f"missing: {name}" for name in wanted if name not in arrays]
    problems += [f"unexpected: {name}" for name in arrays if name not in wanted]
    for name, parameter in wanted.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if not isinstance(array, np.ndarray | np.generic) and not is_gpu_array(array):
            problems.append(f"{name}: it is no array but {array!r}")
            continue
        needed: tuple[Any, ...] = parameter.shape, parameter.dtype
        if _is_count(name):
            needed = (), np.dtype(np.int64)
        if (array.shape, array.dtype) != needed:
            problems.append(
                f"{name}: shape {array.shape} and dtype {array.dtype}, needs {needed[0]} and "
                f"{needed[1]}"
            )
        elif _is_count(name) and int(array) < 0:
            problems.append(f"{name}: it is {int(array)}, needs at least 0")
    return problems


def _is_count(name: str) -> bool:
    return name.split(".", 1)[1] == COUNT


def copied(groups: Groups, state: Mapping[str, Any]) -> Memory:
    """Copy the arrays of a state that fits, each to where its parameter lies, and as it lies."""
    numbered, memory = dict(_numbered(groups)), Memory()
    for name, given in state["arrays"].items():
        number, key = name.split(".", 1)
        parameter, array = numbered[int(number)], as_array(given)
        if _is_count(name):
            copy = np.array(int(array), np.int64)
        else:
            copy = updates.zeros_like(parameter.data)
            copy[...] = device.put_like(array, parameter.data)
        memory.setdefault(parameter, {})[key] = copy
    return memory


# -- schedules -----------------------------------------------------------------------------------


def schedule_misfits(
    name: str, options: Mapping[str, Any], groups: int, values: Mapping[str, Any] | None
) -> list[str]:
    """List all that keeps a state from being taken up by a schedule."""
    if values is None:
        return ['a state is {"arrays": {}, "values": {...}}']
    if values.get("schedule") != name:
        return [f"it is the state of {values.get('schedule')!r}"]
    given, rates = values.get("options"), values.get("base_rates")
    done: Any = values.get("steps_done")
    problems = []
    if not isinstance(given, Mapping):
        problems.append("it has no options")
    else:
        problems += [
            f"{option}: {given.get(option, 'missing')} there, {options.get(option, 'unknown')} here"
            for option in {**options, **given}
            if option not in options or option not in given or given[option] != options[option]
        ]
    if not isinstance(rates, list) or len(rates) != groups:
        problems.append(f"base_rates: {rates}, needs {groups} numbers, one for each group")
    elif not all(is_number(rate) and 0 <= rate < np.inf for rate in rates):
        problems.append(f"base_rates: {rates}, needs numbers of at least 0")
    if not is_whole(done) or done < 0:
        problems.append(f"steps_done: {done!r}, needs a whole number of at least 0")
    return problems
