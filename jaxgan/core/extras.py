"""Check for optional packages, and name the extra of jaxgan that installs a missing one."""

import importlib.util

# Maps the name of a module to the extra of jaxgan that installs it, and to the name of its package on PyPI.
EXTRA_OF = {
    "dp_accounting": ("privacy", "dp-accounting"),
    "openpyxl": ("tables", "openpyxl"),
    "pandas": ("tables", "pandas"),
    "pyarrow": ("tables", "pyarrow"),
    "skimage": ("photos", "scikit-image"),
    "sklearn": ("photos", "scikit-learn"),
    "tensorflow_datasets": ("tfds", "tensorflow-datasets"),
}


class MissingPackageError(ImportError, ValueError):
    """Raised when an optional package is not installed.

    It is also a ``ValueError``, because the command line prints the message of a ``ValueError`` without a traceback.
    """


def pip_install(extra: str) -> str:
    """Return the command that installs an extra of jaxgan.

    >>> pip_install("tfds")
    "pip install 'jaxgan[tfds]'"
    """
    return f"pip install 'jaxgan[{extra}]'"


def is_installed(module: str) -> bool:
    """Return whether a module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def require(*modules: str, user: str, extra: str | None = None) -> None:
    """Check that optional packages are installed, before they are imported.

    Args:
      *modules: names of modules in ``EXTRA_OF`` that belong to the same extra.
      user: the feature that requires them. It is the subject of the message:
        ``require("dp_accounting", user="Private training")``.
      extra: the extra of jaxgan that installs the modules; None for the one in ``EXTRA_OF``.

    Raises:
      MissingPackageError: if one of the modules is not installed. The message contains the command that installs it.
    """
    if not all(map(is_installed, modules)):
        extra = extra or EXTRA_OF[modules[0]][0]
        packages = " and ".join(EXTRA_OF[module][1] for module in modules)
        raise MissingPackageError(f"{user} requires {packages}. To fix this, run: {pip_install(extra)}")
