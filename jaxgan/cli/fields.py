"""Read the fields of dataclasses, their types, defaults and descriptions, to create flags from them.

For the experiments that are part of jaxgan, everything is read from the text of the module with ``ast``. Importing the
module would import JAX, which takes a second or more. The program of a custom experiment is already running, so its
types and defaults are taken from the class, and only descriptions and headings are read from the text.

    @dataclasses.dataclass(frozen=True)
    class Config(AugmentedSettings):
        # Networks
        z_dim: int = 32
        \"""Dimension of the latents.\"""

A comment of a few words, without a full stop, is the heading of the fields that follow it. The description of a field
is the string below it, or its entry under ``Attributes:`` in the docstring of the class. When the text is read, base
classes are found through imports of the form ``from module import Base``.
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

PACKAGE = Path(__file__).parents[1]  # the directory of the package jaxgan
REQUIRED = object()  # takes the place of the default for a field without a default
TYPES = {"int": int, "float": float, "str": str, "bool": bool}
# The types that flags can have, for error messages.
ALLOWED = (
    "int, float, str, bool, Literal[...] with values of one type, tuple[X, ...] and X | None, where X is one of these "
    "types. A tuple cannot contain bool, None or tuples"
)
_HEADING = re.compile(r"\s*# ([A-Z][a-z][\w ,-]{1,40})")
_ATTRIBUTE = re.compile(r"  (\w+): (.*)")


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a dataclass.

    Attributes:
      name: the field's name.
      type: ``int``, ``float``, ``str`` or ``bool``; for a tuple, the type of its items.
      choices: the allowed values; empty if all values of the type are allowed.
      is_optional: whether None is allowed.
      is_tuple: whether the value is a tuple.
      default: the default value; its source text if it is not a literal; ``REQUIRED`` if there is no default.
      help: a description of one or two sentences.
      heading: the heading of the field's group; empty for none.
      owner: if the field belongs to a dataclass that is nested in the command's dataclass, the name of the field that
        holds the nested dataclass; otherwise empty.
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
    """The fields and the docstring of a dataclass, read from the text of its module.

    Attributes:
      fields: the fields of the dataclass, of its base classes and of nested dataclasses, in order. ``owner`` is set
        only in the fields of nested dataclasses; see ``Field``.
      about: the docstring without its sections.
      examples: the lines under ``Examples:`` in the docstring.
    """

    fields: tuple[Field, ...]
    about: str
    examples: tuple[str, ...]


class ModuleText:
    """The text of a module and its syntax tree.

    Args:
      path: the module's file.
    """

    def __init__(self, path: Path):
        self.path = path
        with tokenize.open(path) as file:  # decodes the file with the encoding that the file declares
            text = file.read()
        self.lines = text.split("\n")
        self.tree = ast.parse(text, str(path))

    @property
    def docstring(self) -> str:
        """The module's docstring; empty if there is none."""
        return ast.get_docstring(self.tree) or ""

    def dict_keys(self, name: str) -> tuple[str, ...]:
        """Return the string keys of the dict literal that the module assigns to a name; empty if there is none."""
        value = self._assigned(name)
        if not isinstance(value, ast.Dict):
            return ()
        return tuple(key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))

    def find(self, name: str) -> "tuple[ModuleText, ast.ClassDef | ast.expr] | None":
        """Find a name's definition: a class, or the expression that is assigned to the name.

        Imports of the form ``from module import name`` are followed.

        Returns:
          The module that contains the definition, and the definition. None if the name is not defined, or is imported
          in another way.
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
        """Find the definition of ``name`` in a module that this module imports, for an expression ``module.name``.

        Args:
          module: the name under which this module imports the other module.
          name: the name that the other module defines.
        """
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
    """Read the text of a module. Each file is read only once.

    Args:
      path: the file of the module.
    """
    return ModuleText(path)


def read_class(module: ModuleText, name: str) -> ClassText:
    """Read a dataclass from the text of a module.

    Args:
      module: the text of the module.
      name: the name of the dataclass.

    Raises:
      ValueError: if the module has no such class, a base class is not found, or the type of a field is not allowed for
        flags.
    """
    found = module.find(name)
    if found is None or not isinstance(found[1], ast.ClassDef):
        raise ValueError(f"{module.path} has no class {name}.")
    owner, node = found[0], found[1]
    about, _, examples = _read_docstring(node)
    return ClassText(tuple(_read_fields(owner, node)), about, examples)


def fields_of(dataclass: type) -> tuple[Field, ...]:
    """Return the fields of a dataclass, with descriptions and headings if the text of its module can be read.

    Raises:
      ValueError: if the type of a field is not allowed for flags.
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
    """Read the description and the heading of each field from the text of the class and of its base classes."""
    described: dict[str, tuple[str, str]] = {}
    for base in reversed(dataclass.__mro__):
        try:
            module = read_module(Path(inspect.getfile(base)))
        except (OSError, TypeError, SyntaxError, UnicodeError):  # a built-in class, or a class without a file
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
    """Return the arguments of ``Field`` that describe a type: ``type``, ``choices``, ``is_optional``, ``is_tuple``.

    Args:
      hint: the type.
      name: the field's name for the error message.

    Raises:
      ValueError: if the type is not allowed for flags.
    """
    kind = _kind_of(hint)
    if kind is None:
        shown = hint.__name__ if isinstance(hint, type) else hint
        raise ValueError(f"{name} has the type {shown}, which flags cannot have. The allowed types are {ALLOWED}.")
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
    """Return the directory of the experiments that are part of jaxgan."""
    import jaxgan.experiments  # the package without its modules, which does not import JAX

    return Path(jaxgan.experiments.__path__[-1])


def _module_file(name: str, level: int, importer: Path) -> Path | None:
    """Return the file of an imported module; None if it is not found.

    Args:
      name: the module's name, without leading dots.
      level: number of leading dots of a relative import; 0 for an absolute import.
      importer: the file that imports the module.
    """
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
    for base in reversed(node.bases):  # the first base class overrides the fields of the others
        found = module.find(base.id) if isinstance(base, ast.Name) else None
        if found is None or not isinstance(found[1], ast.ClassDef):
            raise ValueError(
                f"{module.path}: The base class {ast.unparse(base)} of {node.name} was not found. Import it with `from "
                "module import name`."
            )
        fields |= {field.name: field for field in _read_fields(found[0], found[1])}
    _, described, _ = _read_docstring(node)
    for statement, heading, text in _statements(module, node):
        name = statement.target.id  # pyright: ignore
        if ast.unparse(statement.annotation).startswith("Mapping["):
            continue  # ``settings`` and ``options`` of ``train`` collect the values of other flags
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
    """Yield the annotated names in the body of a class, each with its heading and the string below it."""
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
    """Return the text of a statement that consists of a string; an empty string for other statements."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(statement.value.value.split()) if isinstance(statement.value.value, str) else ""
    return ""


def _nested_class(module: ModuleText, annotation: ast.expr) -> tuple[ModuleText, ast.ClassDef] | None:
    """Return the dataclass that an annotation names, with its module; None if the annotation is not a class."""
    if not isinstance(annotation, ast.Name) or annotation.id in TYPES:
        return None
    found = module.find(annotation.id)
    if found and isinstance(found[1], ast.ClassDef):
        return found[0], found[1]
    return None


def _read_type(module: ModuleText, annotation: ast.expr) -> Any:
    """Return the type that an annotation stands for, equal to the result of ``typing.get_type_hints``.

    Annotations that are not allowed for flags are returned as source text.
    """
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
    """Split the docstring of a class into its description, its attributes and the lines of its examples.

    The attributes are a dictionary from names to descriptions.
    """
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
