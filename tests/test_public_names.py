"""Every public function and class of the package is used by a test or shows its use in a doctest."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
WORDS = set(re.findall(r"\w+", TESTS))


def public_names(path):
    """The functions and classes of a module that others may import, with their docstrings."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or ""


@pytest.mark.parametrize("path", sorted((ROOT / "jaxgan").rglob("*.py")), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_public_name_is_tested_or_has_a_doctest(path):
    missing = [name for name, text in public_names(path) if name not in WORDS and ">>>" not in text]
    assert not missing, f"{path.relative_to(ROOT)}: no test mentions {', '.join(missing)}"
