"""What the public names say of themselves: every parameter, every error that they raise, and the unit of every time."""

from __future__ import annotations

import ast
import builtins
import enum
import importlib
import inspect
import re
import sys
import textwrap
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from pydantic_settings import BaseSettings

from procountor_auth.errors import ProcountorAuthError
from procountor_auth.stores.compliance import StoreCompliance
from procountor_auth.strategies import StrategySettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.once

for _library in ("httpx", "httpx2"):
    # A configuration without one of them leaves these tests out, but not before it has imported them.
    pytest.importorskip(_library)

PUBLIC: Final = (
    "procountor_auth",
    "procountor_auth.errors",
    "procountor_auth.events",
    "procountor_auth.httpx",
    "procountor_auth.httpx2",
    "procountor_auth.requests",
    "procountor_auth.sandbox",
    "procountor_auth.stores",
    "procountor_auth.stores.compliance",
    "procountor_auth.strategies",
)
"""The modules with a public path."""

HOOKS: Final = {"settings_customise_sources", "model_post_init"}
"""Methods of Pydantic, which has chosen and describes their parameters."""

NO_TIMES: Final = {"jitter"}
"""Numbers that are no times."""

_TIME: Final = re.compile(
    r"(^|_)(at|until|since|timeout|deadline|seconds?|lifetime|delay|patience|wait|retry_after|latency|clock|monotonic)$"
)
_UNIT: Final = re.compile(r"\b([Ss]econds?|Unix)\b")


class Member(NamedTuple):
    """A public function, class or property.

    Attributes:
        name: Its name, with the module and the class.
        value: Itself.
        owner: The class that it is found in, if it is.
    """

    name: str
    value: Any
    owner: type | None = None

    @property
    def docstring(self) -> str:
        """What it says."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def function(self) -> Any:  # noqa: ANN401 - a class as well
        """What has the docstring."""
        return self.value.fget if isinstance(self.value, property) else getattr(self.value, "__func__", self.value)


def members() -> Iterator[Member]:
    """Yield every public function, class, method and property once."""
    seen: set[int] = set()
    for module_name in PUBLIC:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            value = getattr(module, name)
            if not (inspect.isclass(value) or inspect.isfunction(value)) or id(value) in seen:
                continue
            seen.add(id(value))
            yield Member(f"{module_name}.{name}", value)
            if inspect.isclass(value):
                yield from methods(f"{module_name}.{name}", value, seen)


def methods(name: str, owner: type, seen: set[int]) -> Iterator[Member]:
    """Yield what a class, or one that it is derived from in this package, has in public."""
    for each in owner.__mro__:
        if not each.__module__.startswith("procountor_auth"):
            continue
        for attribute, value in vars(each).items():
            member = Member(f"{name}.{attribute}", value, owner)
            is_one = isinstance(value, property | classmethod | staticmethod) or inspect.isfunction(value)
            is_public = not attribute.startswith("_") or attribute == "__call__"
            if is_one and is_public and id(member.function) not in seen:
                seen.add(id(member.function))
                yield member


def section(docstring: str, name: str) -> dict[str, str]:
    """Return the entries of one section of a docstring, by their names."""
    entries: dict[str, str] = {}
    for found in re.findall(rf"^{name}:\n((?:[ ]+.*\n?|\n)+)", docstring, re.MULTILINE):
        for line in textwrap.dedent(found).splitlines():
            entry = re.match(r"\*{0,2}([\w.]+): (.*)", line)
            if entry:
                entries[entry[1]] = entry[2]
            elif entries:
                entries[list(entries)[-1]] += " " + line.strip()
    return entries


def parameters(function: Callable[..., object]) -> dict[str, inspect.Parameter]:
    """Return what a caller gives to a function, or to a class."""
    given = inspect.signature(function).parameters
    return {name: each for name, each in given.items() if name not in {"self", "cls"} and not name.startswith("_")}


def described(member: Member) -> dict[str, str]:
    """Return what a docstring says of parameters and attributes; a class adds to what those above it say."""
    lineage = member.value.__mro__ if inspect.isclass(member.value) else (member.function,)
    entries: dict[str, str] = {}
    for each in reversed(lineage):
        docstring = inspect.cleandoc(vars(each).get("__doc__") or "") if inspect.isclass(each) else member.docstring
        entries |= section(docstring, "Attributes") | section(docstring, "Args")
    return entries


def has_constructor(value: object) -> bool:
    """Whether callers give arguments to a class: an error is raised here, and settings are described one by one."""
    return inspect.isclass(value) and not (
        issubclass(value, BaseException | enum.Enum | BaseSettings | StoreCompliance) or value is StrategySettings
    )


def raised_by(
    function: Callable[..., Any], owner: type | None, seen: set[object]
) -> Iterator[type[BaseException] | None]:
    """Yield the errors of this package that a function raises itself or in private helpers; None for one in a variable.

    Args:
        function: The function.
        owner: Its class, if it has one.
        seen: The functions that have been looked at.
    """
    function = inspect.unwrap(function)
    if function in seen or not function.__module__.startswith("procountor_auth"):
        return
    seen.add(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names = vars(builtins) | vars(sys.modules[function.__module__])
    for node in unguarded(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = named_by(node.exc, names)
            if error is None or issubclass(error, ProcountorAuthError):
                yield error
        elif isinstance(node, ast.Call):
            helper = helper_of(node.func, names, owner)
            if helper is not None:
                yield from raised_by(helper, owner, seen)


def unguarded(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all that is below a node, but not what a `try` around it may catch, nor functions inside."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Try) and child.handlers:
            for each in (*child.handlers, *child.orelse, *child.finalbody):
                yield from unguarded(each)
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not isinstance(node, ast.Module):
            continue
        yield child
        yield from unguarded(child)


def named_by(raised: ast.expr, names: dict[str, Any]) -> type[BaseException] | None:
    """Return the class that a `raise` names, or None."""
    while isinstance(raised, ast.Call | ast.Attribute):
        raised = raised.func if isinstance(raised, ast.Call) else raised.value
    found = names.get(raised.id) if isinstance(raised, ast.Name) else None
    return found if inspect.isclass(found) and issubclass(found, BaseException) else None


def helper_of(called: ast.expr, names: dict[str, Any], owner: type | None) -> Callable[..., Any] | None:
    """Return the private function of the module or of the class that is called, or None."""
    found: Any = None
    if isinstance(called, ast.Name) and called.id.startswith("_"):
        found = names.get(called.id)
    elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.attr.startswith("_"):
        found = getattr(owner, called.attr, None) if owner and called.value.id in {"self", "cls"} else None
    found = getattr(found, "__func__", found)
    return found if inspect.isfunction(found) else None


def documented(member: Member) -> dict[str, str]:
    """Return what a docstring says is raised, by the names of the errors; it may refer to another method."""
    entries = section(member.docstring, "Raises")
    for other in re.findall(r"Raises what `(\w+)` raises", member.docstring):
        entries |= documented(Member(other, inspect.getattr_static(member.owner, other), member.owner))
    return entries


MEMBERS: Final = {member.name: member for member in members()}
CLASSES: Final = {name: member for name, member in MEMBERS.items() if inspect.isclass(member.value)}
FUNCTIONS: Final = {
    name: member
    for name, member in MEMBERS.items()
    if name not in CLASSES and member.owner is not StoreCompliance  # its arguments are fixtures
}


def test_all_public_names_are_looked_at() -> None:
    """The tests below look at functions, classes, methods and properties, those that are inherited included."""
    assert {
        "procountor_auth.Settings",
        "procountor_auth.TokenSource.from_env",
        "procountor_auth.TokenSource.atoken",
        "procountor_auth.ConfigurationError.message",
        "procountor_auth.httpx.ProcountorAuth.sync_auth_flow",
        "procountor_auth.sandbox.Sandbox",
        "procountor_auth.stores.open_store",
    } <= MEMBERS.keys()


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_it_has_a_docstring(member: Member) -> None:
    """Each says what it gives, in a sentence."""
    assert re.match(r"\S.*[.:]$", member.docstring.partition("\n\n")[0], re.DOTALL)


@pytest.mark.parametrize("member", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_parameter_is_described(member: Member) -> None:
    """Each parameter of a function is under `Args:`, and nothing is that it does not have."""
    if not isinstance(member.value, property) and member.name.rpartition(".")[2] not in HOOKS:
        assert section(member.docstring, "Args").keys() == parameters(member.function).keys()


@pytest.mark.parametrize("member", CLASSES.values(), ids=CLASSES)
def test_every_argument_of_a_class_is_described(member: Member) -> None:
    """Each argument of a class is under `Args:` or `Attributes:`, of the class or of one above it."""
    if has_constructor(member.value):
        assert parameters(member.value).keys() <= described(member).keys()


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_every_error_is_described(member: Member) -> None:
    """Each error that the code raises is under `Raises:`, by its own name or that of one above it."""
    # A dataclass's `__init__` is generated; what it raises is in `__post_init__`.
    made = ("__post_init__" if is_dataclass(member.value) else "__init__") if inspect.isclass(member.value) else ""
    function = vars(member.value).get(made) if made else member.function
    owner = member.value if inspect.isclass(member.value) else member.owner
    said = documented(member)
    for error in set(raised_by(function, owner, set())) if inspect.isfunction(function) else ():
        assert said, f"{error} is raised"
        assert error is None or said.keys() & {each.__name__ for each in error.__mro__}, f"{error} is raised"


@pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
def test_every_time_has_its_unit(member: Member) -> None:
    """What is a time, by its name or its type, says that it is in seconds, or in Unix seconds."""
    described_here = described(member)
    times = {name for name in described_here if _TIME.search(name)}
    if has_constructor(member.value) or member.name in FUNCTIONS:
        given = {} if isinstance(member.value, property) else parameters(member.function)
        times |= {name for name, each in given.items() if "float" in str(each.annotation)} & described_here.keys()
    without = {name for name in times if not _UNIT.search(described_here[name])}
    assert without <= NO_TIMES
    if member.name in FUNCTIONS and "float" in str(inspect.signature(member.function).return_annotation):
        assert _UNIT.search(member.docstring)
