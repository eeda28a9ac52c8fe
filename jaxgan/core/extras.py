"""Optional packages: which extra of jaxgan brings each, and the message where one is missing."""

import importlib.util

# The extra that brings a module, and the package that the module is in.
EXTRA_OF = {
    "dp_accounting": ("privacy", "dp-accounting"),
    "skimage": ("photos", "scikit-image"),
    "sklearn": ("photos", "scikit-learn"),
    "tensorflow_datasets": ("tfds", "tensorflow-datasets"),
}


class MissingPackageError(ImportError, ValueError):
    """An optional package is not installed. It is also a ``ValueError``, which the command line tells in one line."""


def pip_install(extra: str) -> str:
    """The command that installs an extra.

    >>> pip_install("tfds")
    "pip install 'jaxgan[tfds]'"
    """
    return f"pip install 'jaxgan[{extra}]'"


def is_installed(module: str) -> bool:
    """Whether a module can be imported; it is found and not imported."""
    return importlib.util.find_spec(module) is not None


def require(*modules: str, user: str) -> None:
    """Check that optional packages are installed, before they are imported.

    Args:
      *modules: modules of ``EXTRA_OF``, all of one extra.
      user: what needs them, the subject of the message: ``require("dp_accounting", user="Private training")``.

    Raises:
      MissingPackageError: one of them is not installed; the message names the extra.
    """
    if not all(map(is_installed, modules)):
        extra, _ = EXTRA_OF[modules[0]]
        packages = " and ".join(EXTRA_OF[module][1] for module in modules)
        raise MissingPackageError(f"{user} needs {packages}: {pip_install(extra)}")
