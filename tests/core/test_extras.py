"""Tests of the message about a missing package, and that the extra in this message installs the package."""

import sys
import tomllib
from pathlib import Path

import pytest

from jaxgan.core.extras import EXTRA_OF, MissingPackageError, is_installed, pip_install, require


def test_the_message_about_a_missing_package_names_its_extra(monkeypatch):
    require("numpy", user="This test")
    monkeypatch.setitem(sys.modules, "skimage", None)
    message = (
        r"^`data` photos requires scikit-image and scikit-learn. To fix this, run: pip install 'jaxgan\[photos\]'$"
    )
    with pytest.raises(MissingPackageError, match=message) as error:
        require("skimage", "sklearn", user="`data` photos")
    assert isinstance(error.value, ImportError) and isinstance(error.value, ValueError)
    assert not is_installed("skimage") and pip_install("photos") in str(error.value)


def test_the_extras_install_their_packages():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    for module, (extra, package) in EXTRA_OF.items():
        installed = [*project["optional-dependencies"][extra], *project["dependencies"]]
        assert any(line.partition(">")[0] == package for line in installed), module
