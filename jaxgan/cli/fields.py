"""The fields of dataclasses, from which flags are made.

The fields of an experiment that comes with jaxgan are read from the text of its module, because importing it imports
JAX, which takes a second or more. Those of a program of one's own, which is running already, are taken from the class;
its text then gives descriptions and headings alone.

    @dataclasses.dataclass(frozen=True)
    class Config(AugmentedSettings):
        # Networks
        z_dim: int = 32
        \"""Dimension of the latents.\"""

A comment of a few words, without a full stop, is the heading of the fields that follow it. A field is described by the
text below it or under ``Attributes:`` in the docstring of its class. In text, base classes are found through imports of
the form ``from module import Base``.
"""

import ast
import dataclasses
import functools
import importlib.util
import inspect
import re
import tokenize
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

PACKAGE = Path(__file__).parents[1]
REQUIRED = object()  # in the place of a default
TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_HEADING = re.compile(r"\s*# ([A-Z][a-z][\w ,-]{1,40})")
ALLOWED = "int, float, str, bool, a Literal of one of them, a tuple of any number of them, and each of these or None"
_ATTRIBUTE = re.compile(r"  (\w+): (.*)")


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a dataclass.

    Attributes:
      name: the field's name.
      type: ``int``, ``float``, ``str`` or ``bool``; of a tuple, the type of its items.
      choices: the values that are allowed; empty if all are.
      is_optional: whether None is allowed.
      is_tuple: whether the value is a tuple.
      default: the value; its source text if it is not a literal; ``REQUIRED`` if there is none.
      help: a description in a sentence or two.
      heading: of the group that it belongs to; empty for none.
      owner: the field of the outer dataclass that holds this one's; empty if it is a field of the dataclass itself.
    """

    name: str
    type: str
    choices: tuple[str, ...] = ()
    is_optional: bool = False
    is_tuple: bool = False
    default: Any = REQUIRED
    help: str = ""
    heading: str = ""
    owner: str = ""


@dataclasses.dataclass(frozen=True)
class ClassText:
    """The fields and the docstring of a dataclass, read from its text.

    Attributes:
      fields: its fields and those of its base classes, in order; those of dataclasses in it have an ``owner``.
      about: the docstring, without its sections.
      examples: the lines under ``Examples:`` in the docstring.
    """

    fields: tuple[Field, ...]
    about: str
    examples: tuple[str, ...]


class ModuleText:
    """The text of a module. ``path`` is its file."""

    def __init__(self, path: Path):
        self.path = path
        with tokenize.open(path) as file:  # in the encoding that Python reads it in
            text = file.read()
        self.lines = text.split("\n")
        self.tree = ast.parse(text, str(path))

    @property
    def docstring(self) -> str:
        """The docstring; empty if there is none."""
        return ast.get_docstring(self.tree) or ""

    def dict_keys(self, name: str) -> tuple[str, ...]:
        """The keys of a dict that the module assigns to a name; empty if there is none."""
        value = self._assigned(name)
        if not isinstance(value, ast.Dict):
            return ()
        return tuple(key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))

    def find(self, name: str) -> "tuple[ModuleText, ast.ClassDef | ast.expr] | None":
        """The class of this name, or the value that is assigned to it, with the module that has it.

        Imports of the form ``from module import name`` are followed. A name that is imported in another way, or is not
        there, gives None.
        """
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef) and node.name == name:
                return self, node
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        path = _module_file(node.module or "", node.level, self.path)
                        return read_module(path).find(alias.name) if path else None
        value = self._assigned(name)
        return None if value is None else (self, value)

    def find_in_module(self, module: str, name: str) -> "tuple[ModuleText, ast.ClassDef | ast.expr] | None":
        """``find`` in a module that this one imports, for an expression such as ``module.name``."""
        for node in self.tree.body:
            if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == module for alias in node.names):
                path = _module_file(f"{node.module or ''}.{module}".strip("."), node.level, self.path)
                return read_module(path).find(name) if path else None
        return None

    def _assigned(self, name: str) -> ast.expr | None:
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
                return node.value
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
                return node.value
        return None


@functools.cache
def read_module(path: Path) -> ModuleText:
    """The text of the module in a file."""
    return ModuleText(path)


def read_class(module: ModuleText, name: str) -> ClassText:
    """The fields of the dataclass of this name, as the text of a module has them.

    Raises:
      ValueError: the module has no such class, a base class is not found, or a field has a type that no flag can have.
    """
    found = module.find(name)
    if found is None or not isinstance(found[1], ast.ClassDef):
        raise ValueError(f"{module.path} has no class {name}.")
    owner, node = found[0], found[1]
    about, _, examples = _read_docstring(node)
    return ClassText(tuple(_read_fields(owner, node)), about, examples)


def fields_of(dataclass: type) -> tuple[Field, ...]:
    """The fields of a dataclass, with descriptions and headings from its text, if that is there.

    Raises:
      ValueError: a field has a type that no flag can have.
    """
    hints, described = typing.get_type_hints(dataclass), _descriptions(dataclass)
    fields = []
    for field in dataclasses.fields(dataclass):
        default: Any = REQUIRED
        if field.default is not dataclasses.MISSING:
            default = field.default
        elif field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        kind = _type_of(hints[field.name], f"{dataclass.__name__}.{field.name}")
        text, heading = described.get(field.name, ("", ""))
        fields.append(Field(field.name, **kind, default=default, help=text, heading=heading))
    return tuple(fields)


def _descriptions(dataclass: type) -> dict[str, tuple[str, str]]:
    """The description and the heading of each field, from the text of the class and of its bases."""
    described: dict[str, tuple[str, str]] = {}
    for base in reversed(dataclass.__mro__):
        try:
            module = read_module(Path(inspect.getfile(base)))
        except (OSError, TypeError, SyntaxError, UnicodeError):  # a class of Python, or of a session without files
            continue
        found = next(
            (n for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef) and n.name == base.__name__), None
        )
        if found is None:
            continue
        _, attributes, _ = _read_docstring(found)
        for statement, heading, text in _statements(module, found):
            name = statement.target.id  # pyright: ignore
            before = described.get(name, ("", ""))
            described[name] = (text or attributes.get(name) or before[0], heading or before[1])
    return described


def _type_of(hint: Any, name: str) -> dict[str, Any]:
    """A type as arguments of ``Field``.

    Raises:
      ValueError: no flag can have it; the message names the field.
    """
    kind = _kind_of(hint)
    if kind is None:
        shown = hint.__name__ if isinstance(hint, type) else hint
        raise ValueError(f"{name} has the type {shown}, which no flag can have; flags have {ALLOWED}.")
    return kind


def _kind_of(hint: Any) -> dict[str, Any] | None:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in TYPES.values():
        return {"type": hint.__name__}
    if origin in (typing.Union, types.UnionType):
        others = [argument for argument in arguments if argument is not type(None)]
        kind = _kind_of(others[0]) if len(others) == 1 and len(arguments) == 2 else None
        return None if kind is None else {**kind, "is_optional": True}
    if origin is Literal:
        values = [value for value in arguments if value is not None]
        kinds = {type(value) for value in values}
        if len(kinds) != 1 or not kinds <= {int, float, str}:
            return None
        kind = {"type": kinds.pop().__name__, "choices": tuple(map(str, values))}
        return {**kind, "is_optional": True} if None in arguments else kind
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        kind = _kind_of(arguments[0])
        if kind is None or kind["type"] == "bool" or kind.keys() & {"is_optional", "is_tuple"}:
            return None
        return {**kind, "is_tuple": True}
    return None


def experiments_folder() -> Path:
    """The folder of the experiments that come with jaxgan."""
    import jaxgan.experiments  # the package alone, which imports nothing

    return Path(jaxgan.experiments.__path__[-1])


def _module_file(name: str, level: int, importer: Path) -> Path | None:
    """The file of a module that a file imports from; None if it is not to be found."""
    parts = name.split(".") if name else []
    if level:
        base = importer.parents[level - 1].joinpath(*parts)
    elif parts[:2] == [PACKAGE.name, "experiments"]:
        base = experiments_folder().joinpath(*parts[2:])
    elif parts[0] == PACKAGE.name:
        base = PACKAGE.joinpath(*parts[1:])
    else:
        spec = importlib.util.find_spec(parts[0])
        if spec is None or spec.origin is None:
            return None
        base = Path(spec.origin).parent.joinpath(*parts[1:]) if spec.parent else Path(spec.origin).with_suffix("")
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _read_fields(module: ModuleText, node: ast.ClassDef) -> list[Field]:
    fields: dict[str, Field] = {}
    for base in reversed(node.bases):  # the fields of the first one count over those of the others
        found = module.find(base.id) if isinstance(base, ast.Name) else None
        if found is None or not isinstance(found[1], ast.ClassDef):
            raise ValueError(f"{module.path}: the base class {ast.unparse(base)} of {node.name} is not found.")
        fields |= {field.name: field for field in _read_fields(found[0], found[1])}
    _, described, _ = _read_docstring(node)
    for statement, heading, text in _statements(module, node):
        name = statement.target.id  # pyright: ignore
        if ast.unparse(statement.annotation).startswith("Mapping["):
            continue  # it takes the values of other flags
        inner = _nested_class(module, statement.annotation)
        if inner:
            nested = [dataclasses.replace(field, owner=name) for field in _read_fields(*inner)]
            fields |= {field.name: field for field in nested}
            continue
        before = fields.get(name)
        fields[name] = Field(
            name,
            **_type_of(_read_type(module, statement.annotation), f"{module.path}: {node.name}.{name}"),
            default=_read_default(module, statement.value),
            help=text or described.get(name) or (before.help if before else ""),
            heading=heading or (before.heading if before else ""),
        )
    return list(fields.values())


def _statements(module: ModuleText, node: ast.ClassDef) -> Iterator[tuple[ast.AnnAssign, str, str]]:
    """The annotated names of a class's body, each with its heading and the text below it."""
    heading, last_line = "", node.lineno
    for i, statement in enumerate(node.body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            for line in module.lines[last_line : statement.lineno - 1]:
                if found := _HEADING.fullmatch(line):
                    heading = found[1]
            below = node.body[i + 1] if i + 1 < len(node.body) else None
            yield statement, heading, _string(below)
        last_line = statement.end_lineno or last_line


def _string(statement: ast.stmt | None) -> str:
    """The text of a statement that is a string; else nothing."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(statement.value.value.split()) if isinstance(statement.value.value, str) else ""
    return ""


def _nested_class(module: ModuleText, annotation: ast.expr) -> tuple[ModuleText, ast.ClassDef] | None:
    """The dataclass that is a field's type, if it is one."""
    if not isinstance(annotation, ast.Name) or annotation.id in TYPES:
        return None
    found = module.find(annotation.id)
    if found and isinstance(found[1], ast.ClassDef):
        return found[0], found[1]
    return None


def _read_type(module: ModuleText, annotation: ast.expr) -> Any:
    """The type that an annotation says, as ``typing.get_type_hints`` would give it; the annotation if it is another."""
    match annotation:
        case ast.Constant(None):
            return None
        case ast.Name(id) if id in TYPES:
            return TYPES[id]
        case ast.Name(id) if (found := module.find(id)) and isinstance(found[1], ast.expr):
            return _read_type(found[0], found[1])
        case ast.Attribute(ast.Name(inner), id) if found := module.find_in_module(inner, id):
            if isinstance(found[1], ast.expr):
                return _read_type(found[0], found[1])
        case ast.BinOp(left, ast.BitOr(), right):
            return typing.Union[_read_type(module, left), _read_type(module, right)]  # noqa: UP007
        case ast.Subscript(ast.Name("Literal"), choices):
            return Literal[tuple(ast.literal_eval(item) for item in getattr(choices, "elts", [choices]))]
        case ast.Subscript(ast.Name("tuple"), ast.Tuple([item, ast.Constant(value)])) if value is Ellipsis:
            return tuple[_read_type(module, item), ...]
    return ast.unparse(annotation)


def _read_default(module: ModuleText, value: ast.expr | None) -> Any:
    if value is None:
        return REQUIRED
    if isinstance(value, ast.Name) and (found := module.find(value.id)) and isinstance(found[1], ast.expr):
        value = found[1]
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("dataclasses.field", "field"):
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        if "default" not in given:
            return ast.unparse(given["default_factory"]) + "()" if "default_factory" in given else REQUIRED
        value = given["default"]
    try:
        return ast.literal_eval(value)
    except (ValueError, TypeError):
        return ast.unparse(value)


def _read_docstring(node: ast.ClassDef) -> tuple[str, dict[str, str], tuple[str, ...]]:
    """A class's docstring in its parts: the description, the attributes by name, and the lines of the examples."""
    about, attributes, examples = [], {}, []
    section, name = "", ""
    for line in inspect.cleandoc(ast.get_docstring(node) or "").splitlines():
        if re.fullmatch(r"[A-Z]\w+:", line):
            section = line
        elif not section:
            about.append(line)
        elif section == "Examples:" and line.strip():
            examples.append(line.strip())
        elif section == "Attributes:" and (found := _ATTRIBUTE.fullmatch(line)):
            name, attributes[found[1]] = found[1], found[2].strip()
        elif section == "Attributes:" and name and line.strip():
            attributes[name] += " " + line.strip()
    return "\n".join(about).strip(), attributes, tuple(examples)
