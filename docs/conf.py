"""Configuration of Sphinx. Build the site with ``sphinx-build -W -n docs docs/_build``."""

import socket
import sys
from pathlib import Path

import jaxgan

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "jaxgan"
author = "jaxgan authors"
copyright = f"2026, {author}"
version = release = jaxgan.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx.ext.intersphinx",
    "myst_nb",
    "sphinx_copybutton",
    "mathml",
    "reference_pages",
]
exclude_patterns = ["_build", "jupyter_execute", "**/.ipynb_checkpoints"]
smartquotes = False  # they turn the hyphens of flags into dashes

# MyST, and the execution of notebooks
myst_enable_extensions = ["dollarmath", "deflist", "html_image"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / ".jupyter_cache")
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True

# The reference, generated from docstrings
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False


def _is_online(host: str = "docs.jax.dev") -> bool:
    try:
        with socket.create_connection((host, 443), timeout=3):
            return True
    except OSError:
        return False


# Links to the documentation of other projects need their inventories, which are downloaded. A build without a network
# has no such links.
intersphinx_mapping = {}
if _is_online():
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "jax": ("https://docs.jax.dev/en/latest", None),
        "flax": ("https://flax.readthedocs.io/en/latest", None),
        "optax": ("https://optax.readthedocs.io/en/latest", None),
    }

# Names without a page: those of other projects if their inventories are missing, and type variables. Private modules in
# which other projects define public classes have no entry in any inventory.
nitpick_ignore_regex = [
    (r"py:.*", r"(jax|flax|optax)\..*\b_\w+.*|flax\.(linen|core)\..*|inspect\.Parameter|Image"),
    (r"py:.*", r"jaxgan\.[\w.]+\.[A-Z]"),
]
if not intersphinx_mapping:
    nitpick_ignore_regex.append((r"py:.*", r"(jax|jaxlib|flax|optax|numpy|collections|pathlib|typing|PIL|inspect)\..*"))
    nitpick_ignore_regex.append(
        (r"py:.*", r"(tuple|dict|list|set|type|int|float|str|bool|bytes|None|object|property)\b.*")
    )
    nitpick_ignore_regex.append(
        (r"py:.*", r"(TypeError|ValueError|OSError|RuntimeError|UserWarning|MemoryError|KeyError)")
    )

html_math_renderer = "mathml"
html_theme = "sphinx_book_theme"
html_title = "jaxgan"
html_static_path = ["_static"]
html_css_files = ["jaxgan.css"]
html_theme_options = {
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "use_download_button": True,
    "use_fullscreen_button": False,
}
html_show_sourcelink = False
