"""Tests that the docstrings of all public names are complete.

The rules, for the package's public modules, functions, classes and methods:

- Each has a docstring. Methods that override a method of a base class inherit its docstring.
- A function with two or more parameters documents each of them in the section ``Args``. A class documents the
  parameters of its ``__init__`` there, or in the section ``Attributes`` if an attribute has the same name.
- An array in ``Args`` and a returned array have a shape such as ``[B, H, W, C]``. The text may say "shape", "scalar" or
  "key" instead.
- A single parameter may be documented by the text instead: its name stands in double backticks, or all words of its
  name occur in the text, for instance "verdict" in "Return what to try against a verdict". If it is an array, the text
  contains a shape.
- A text may also refer to a function of the package that documents the same parameters: "see ``Network.apply`` for the
  arguments".
- Each field of a data class, a named tuple or a Flax module is in the section ``Attributes``, or a string below it
  documents it.
- A function that raises an error, itself or in a function named ``check...`` that it calls, has a section ``Raises``,
  or its text says when it raises.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "jaxgan").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
FIELD_BASES = {"NamedTuple", "Module"}  # classes with these bases have fields, as data classes do
INHERITED = {"setup", "execute"}  # methods that Flax and the command line define: modules and commands override them
ARRAY = re.compile(r"(jax\.Array|np\.ndarray)( \| None)?")
REFERENCE = re.compile(r"[Ss]ee ``([\w.]+)``\s+for\s+the\s+arguments")
SHAPE = re.compile(r"\[[A-Za-z*.1-9]|\bshapes?\b|\bscalars?\b|\bkeys?\b|like ``")


def last_name(node: ast.expr) -> str:
    """Return the last part of a dotted name: "Module" for ``nn.Module``, and the same for ``Module[T]``."""
    if isinstance(node, ast.Subscript):
        return last_name(node.value)
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def class_index(trees: list[ast.Module]) -> dict[str, ast.ClassDef]:
    """Return all classes of the package by name."""
    return {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def ancestors(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> Iterator[ast.ClassDef]:
    """Yield the base classes of a class that the package defines, and their base classes."""
    for base in map(last_name, node.bases):
        if base in classes and base != node.name:
            yield classes[base]
            yield from ancestors(classes[base], classes)


def overrides(owner: ast.ClassDef, name: str, classes: dict[str, ast.ClassDef]) -> bool:
    bases = ancestors(owner, classes)
    return name in INHERITED or any(getattr(n, "name", None) == name for base in bases for n in base.body)


def section(doc: str, title: str) -> dict[str, str]:
    """Return the entries of a section of a docstring: the names that stand before a colon, with their texts."""
    found = re.search(rf"^{title}:\n((?:[ \t]+.*\n?|\n)*)", doc, re.MULTILINE)
    entries = {}
    for entry in re.finditer(r"^  (\S[^:\n]*):((?:.*\n?)(?:^ {3,}.*\n?)*)", found[1] if found else "", re.MULTILINE):
        for name in entry[1].split(","):
            entries[name.strip(" *`")] = entry[2].strip()
    return entries


def parameters(node: Function, is_method: bool) -> list[ast.arg]:
    args = node.args
    named = [*args.posonlyargs, *args.args]
    if is_method and "staticmethod" not in map(last_name, node.decorator_list):
        named = named[1:]
    found = [*named, *args.kwonlyargs, *filter(None, (args.vararg, args.kwarg))]
    return [arg for arg in found if not arg.arg.startswith("_")]


def words(text: str) -> set[str]:
    """Return the words of a text in lower case, without the "s" or "es" of a plural."""
    return {re.sub(r"(?<=\w\w)e?s$", "", word) for word in re.findall(r"[a-z0-9]+", text.lower())}


def is_in_text(arg: ast.arg, doc: str) -> bool:
    """Return whether the text of a docstring documents a function's only parameter."""
    if not (f"``{arg.arg}``" in doc or words(arg.arg.replace("_", " ")) <= words(doc)):
        return False
    return not (arg.annotation and is_array(arg.annotation)) or bool(SHAPE.search(doc))


def missing_args(node: Function, doc: str, is_method: bool) -> list[str]:
    """Return the parameters of a function that its docstring (of its class, for ``__init__``) lacks."""
    args = parameters(node, is_method)
    entries = section(doc, "Args")
    if node.name == "__init__":
        entries |= section(doc, "Attributes")
    for reference in REFERENCE.findall(doc):
        for tree in package_trees().values():
            entries = section(docstring_of(reference, tree), "Args") | entries
    missing = [arg for arg in args if not entries.get(arg.arg)]
    if len(args) == 1 and missing and is_in_text(args[0], doc):
        return []
    return [arg.arg for arg in missing]


def without_shape(node: Function, doc: str, is_method: bool) -> list[str]:
    """Return the parameters that are arrays and have no shape in ``Args``, and "the result" if it is such an array."""
    entries = section(doc, "Args")
    missing = [
        arg.arg
        for arg in parameters(node, is_method)
        if arg.annotation and is_array(arg.annotation) and arg.arg in entries and not SHAPE.search(entries[arg.arg])
    ]
    if node.returns and is_array(node.returns) and not SHAPE.search(doc):
        missing.append("the result")
    return missing


def is_array(annotation: ast.expr) -> bool:
    return bool(ARRAY.fullmatch(ast.unparse(annotation)))


def docstring_of(name: str, owner: ast.Module | ast.ClassDef) -> str:
    """Return the docstring of a function or of a method ``Class.method``, or an empty text if there is none."""
    first, _, rest = name.partition(".")
    for node in owner.body:
        if isinstance(node, Function | ast.ClassDef) and node.name == first:
            return (
                docstring_of(rest, node) if rest and isinstance(node, ast.ClassDef) else ast.get_docstring(node) or ""
            )
    return ""


def raises_directly(node: ast.AST) -> bool:
    """Return whether the code raises an error itself. Functions within it do not count, and neither do re-raises."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(child, ast.Raise) and child.exc is not None:
            return True
        if raises_directly(child):
            return True
    return False


def calls_a_check(node: ast.AST, checks: set[str]) -> bool:
    return any(isinstance(call, ast.Call) and last_name(call.func) in checks for call in ast.walk(node))


def has_fields(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> bool:
    if any(last_name(decorator) == "dataclass" for decorator in node.decorator_list):
        return True
    return any(last_name(base) in FIELD_BASES for cls in (node, *ancestors(node, classes)) for base in cls.bases)


def missing_fields(node: ast.ClassDef, doc: str, classes: dict[str, ast.ClassDef]) -> list[str]:
    entries = section(doc, "Attributes")
    for base in ancestors(node, classes):
        entries |= section(ast.get_docstring(base) or "", "Attributes")
    missing = []
    for field, below in zip(node.body, [*node.body[1:], None]):
        if isinstance(field, ast.AnnAssign) and not field.target.id.startswith("_"):
            has_string = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            if not entries.get(field.target.id) and not has_string:
                missing.append(field.target.id)
    return missing


def find_gaps(tree: ast.Module, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    """Yield a message for each violation of the rules in a module."""
    if not ast.get_docstring(tree) and tree.body:
        yield "the module has no docstring"
    yield from _find_gaps(tree, "", classes)


def _find_gaps(owner: ast.Module | ast.ClassDef, prefix: str, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    is_class = isinstance(owner, ast.ClassDef)
    for node in owner.body:
        if not isinstance(node, Function | ast.ClassDef):
            continue
        name = prefix + node.name
        doc = ast.get_docstring(node) or ""
        if is_class and node.name in ("__init__", "__post_init__"):
            owner_doc = ast.get_docstring(owner) or ""
            if node.name == "__init__":
                yield from (f"{owner.name} lacks {arg} in Args" for arg in missing_args(node, owner_doc, True))
            if raises_directly(node) and not re.search(r"\brais", owner_doc + doc, re.IGNORECASE):
                yield f"{owner.name} does not say when its {node.name} raises"
        if node.name.startswith("_"):
            continue
        if isinstance(node, ast.ClassDef):
            if has_fields(node, classes):
                yield from (f"{name} lacks {field} in Attributes" for field in missing_fields(node, doc, classes))
            yield from _find_gaps(node, f"{name}.", classes)
        elif is_class and not doc and overrides(owner, node.name, classes):
            continue
        if not doc:
            yield f"{name} has no docstring"
        elif isinstance(node, Function):
            yield from (f"{name} lacks {arg} in Args" for arg in missing_args(node, doc, is_class))
            yield from (f"{name} lacks the shape of {arg}" for arg in without_shape(node, doc, is_class))
            does_raise = raises_directly(node) or calls_a_check(node, package_checks())
            if does_raise and not re.search(r"\brais", doc, re.IGNORECASE):
                yield f"{name} does not say when it raises"


@functools.cache
def package_trees() -> dict[Path, ast.Module]:
    """Return the parsed files of the package. They are parsed when the first test needs them, and not by every process."""
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}


@functools.cache
def package_classes() -> dict[str, ast.ClassDef]:
    return class_index(list(package_trees().values()))


@functools.cache
def package_checks() -> set[str]:
    """Return the names of the functions ``check...`` that raise an error."""
    return {
        node.name
        for tree in package_trees().values()
        for node in ast.walk(tree)
        if isinstance(node, Function) and re.match(r"_?check", node.name) and raises_directly(node)
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_docstrings_are_complete(path):
    gaps = list(find_gaps(package_trees()[path], package_classes()))
    assert not gaps, f"{path.relative_to(ROOT)}:\n  " + "\n  ".join(gaps)


GAPS = {
    "def f():\n    pass": "f has no docstring",
    "class A:\n    pass": "A has no docstring",
    'class A:\n    """A."""\n    def g(self):\n        pass': "A.g has no docstring",
    'def f(x, y):\n    """Add ``x`` and ``y``."""': "f lacks x in Args",
    'def f(x, y):\n    """Add.\n\n    Args:\n      x: a number.\n    """': "f lacks y in Args",
    'def f(count):\n    """Return a result."""': "f lacks count in Args",
    'def f(images: jax.Array):\n    """Show images."""': "f lacks images in Args",
    'def f(x: jax.Array):\n    """F.\n\n    Args:\n      x: an array.\n    """': "f lacks the shape of x",
    'def f() -> np.ndarray:\n    """Return noise in [-1, 1]."""': "f lacks the shape of the result",
    'def f():\n    """F."""\n    if True:\n        raise ValueError("x")': "f does not say when it raises",
    'def f():\n    """F."""\n    check_seed(1)': "f does not say when it raises",
    'class A:\n    """A."""\n    def __init__(self, x, y):\n        pass': "A lacks x in Args",
    'class A(NamedTuple):\n    """A."""\n    x: int': "A lacks x in Attributes",
    'class A(nn.Module):\n    """A.\n\n    Attributes:\n      y: b.\n    """\n    x: int': "A lacks x in Attributes",
    'class A:\n    """A."""\n    def __post_init__(self):\n        raise ValueError': "A does not say when its __post_init__ raises",
    '@dataclasses.dataclass\nclass A:\n    """A."""\n    x: int = 1': "A lacks x in Attributes",
}
COMPLETE = [
    'def f(verdict):\n    """Return what to try against a verdict."""',
    'def f(images: jax.Array):\n    """Show images, [B, H, W, C]."""',
    'def f(x, *, y=1):\n    """F.\n\n    Args:\n      x, y: two numbers.\n    """',
    'def f(key):\n    """F; see ``Network.init`` for the arguments."""',
    'def f():\n    """F.\n\n    Raises:\n      ValueError: if x.\n    """\n    raise ValueError',
    'def f():\n    """F."""\n    try:\n        pass\n    except ValueError:\n        raise',
    'class A(NamedTuple):\n    """A."""\n    x: int\n    """A number."""',
    'class A(Source):\n    """A."""\n    def read(self, indices):\n        pass',
    'class A(Source):\n    """A."""\n    def __repr__(self):\n        pass',
    "class _A:\n    def f(self):\n        pass",
]


@pytest.mark.parametrize(("source", "message"), GAPS.items(), ids=range(len(GAPS)))
def test_a_gap_is_found(source, message):
    assert message in list(find_gaps(ast.parse(f'"""M."""\n{source}'), package_classes()))


@pytest.mark.parametrize("source", COMPLETE, ids=range(len(COMPLETE)))
def test_a_complete_docstring_has_no_gap(source):
    assert list(find_gaps(ast.parse(f'"""M."""\n{source}'), package_classes())) == []


def test_a_module_without_a_docstring_is_a_gap():
    assert list(find_gaps(ast.parse("x = 1"), package_classes())) == ["the module has no docstring"]
