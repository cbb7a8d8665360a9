"""From the `addon` of a node to its class: `"vad.silero"` is `extensions/vad/silero.py`.

Packages outside this tree register a class under the entry point group `voice_agent.extensions`.
"""

import difflib
import importlib
import inspect
import pkgutil
from functools import cache
from importlib.metadata import entry_points

import extensions
from voice_agent.errors import GraphError
from voice_agent.extension import Extension

GROUP = "voice_agent.extensions"


def names() -> list[str]:
    """Every addon that a graph can name, sorted; nothing is imported for it but the role folders."""
    found = {point.name for point in entry_points(group=GROUP)}
    for role in pkgutil.iter_modules(extensions.__path__):
        package = importlib.import_module(f"extensions.{role.name}")
        found.update(
            f"{role.name}.{module.name}"
            for module in pkgutil.iter_modules(package.__path__)
            if not module.name.startswith("_")
        )
    return sorted(found)


@cache
def find(addon: str) -> type[Extension]:
    """The class of an addon.

    Raises GraphError when nothing has this name, MissingExtra when its package is not installed.
    """
    for point in entry_points(group=GROUP):
        if point.name == addon:
            return _checked(addon, point.load())
    if addon not in names():
        raise GraphError(f"unknown addon '{addon}'; {_hint(addon)}")
    module = importlib.import_module(f"extensions.{addon}")
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Extension) and value.__module__ == module.__name__
    ]
    if len(own) != 1:
        raise GraphError(f"extensions/{addon.replace('.', '/')}.py must define one extension, not {len(own)}")
    return _checked(addon, own[0])


def _hint(addon: str) -> str:
    """What may have been meant: the nearest name or all that there are, of the same role if it has any."""
    role = addon.split(".")[0]
    candidates = [name for name in names() if name.split(".")[0] == role] or names()
    near = difflib.get_close_matches(addon, candidates, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"there are: {', '.join(candidates)}"


def _checked(addon: str, value: object) -> type[Extension]:
    if not (inspect.isclass(value) and issubclass(value, Extension)):
        raise GraphError(f"addon '{addon}' names {value!r}, which is not an Extension class")
    return value
