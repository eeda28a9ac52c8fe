"""Tests that a test or a doctest uses each public function and class of the package."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES_IN_A_STRING = re.compile(r"^jaxgan(\.\w+)+$|^\s*from jaxgan.* import", re.MULTILINE)


def names_used(path):
    """Yield the names in the code of a test.

    These are variables, attributes, imports, targets of ``monkeypatch``, and names in programs that are strings. Words
    in comments, docstrings and messages do not count.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and NAMES_IN_A_STRING.search(node.value):
            yield from re.findall(r"\w+", node.value)


@functools.cache
def all_names_used():
    """Return the names in all tests. They are read when the first test needs them, and not by every process."""
    return {name for path in (ROOT / "tests").rglob("*.py") for name in names_used(path)}


def public_names(path):
    """Yield the names and docstrings of a module's public functions and classes, except for protocols."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            bases = [ast.unparse(base) for base in getattr(node, "bases", [])]
            if "Protocol" not in bases:
                yield node.name, ast.get_docstring(node) or ""


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgan").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_public_name_is_tested_or_has_a_doctest(path):
    missing = [name for name, text in public_names(path) if name not in all_names_used() and ">>>" not in text]
    assert not missing, f"{path.relative_to(ROOT)}: no test uses {', '.join(missing)}"
