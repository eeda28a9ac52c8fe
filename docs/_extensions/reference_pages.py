"""A Sphinx extension that writes the pages of the reference before each build.

Four kinds of pages are generated in ``docs/reference/generated``: the Python API, from the modules' public names; the
command line, from its parsers; the settings of the experiments, from the source of each experiment's ``Config``; and
the table of results, from ``experiments/README.md``.
"""

import argparse
import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxgan.cli import commands, experiment_files, flags, tools
from jaxgan.cli.fields import REQUIRED, Field, read_class

# The packages that users import, in the order of the table of contents. The other packages implement the command line.
API = (
    "jaxgan",
    "jaxgan.core",
    "jaxgan.games",
    "jaxgan.parallel",
    "jaxgan.losses",
    "jaxgan.augment",
    "jaxgan.models",
    "jaxgan.nn",
    "jaxgan.data",
    "jaxgan.drawing",
    "jaxgan.metrics",
    "jaxgan.evaluation",
    "jaxgan.media",
    "jaxgan.editing",
    "jaxgan.interop",
    "jaxgan.export",
    "jaxgan.experiment",
)
REPOSITORY = Path(__file__).parents[2]
EXPERIMENT_GROUPS = (
    ("Images from noise", ("gan", "dcgan", "cgan", "wgan", "wgan_gp", "sngan", "r3gan", "stylegan2", "vae")),
    ("Images from images", ("pix2pix", "cyclegan", "srgan")),
    ("Other data", ("ctgan", "gan3d", "series", "timegan", "text", "points")),
)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    documented = _documented_names()
    app.connect("builder-inited", lambda app: write_pages(Path(app.srcdir) / "reference" / "generated"))
    app.connect("autodoc-process-docstring", _prepare_docstring, priority=100)  # before napoleon reads the sections
    app.connect("autodoc-process-docstring", _finish_docstring, priority=900)
    app.connect("autodoc-process-signature", _shorten_signature)
    app.connect("source-read", _redirect_links)
    app.connect("missing-reference", _make_resolver(documented))
    return {"parallel_read_safe": True}


def write_pages(folder: Path) -> None:
    """Write all generated pages. Unchanged pages are not written again, so that Sphinx does not rebuild them."""
    documented = _documented_names()
    pages = {f"{name}.md": _api_page(name, documented) for name in API}
    pages["command_line.md"] = _command_line_page()
    pages["experiments.md"] = _experiments_page()
    pages["results.md"] = _results_page()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# The Python API


def _modules(package: str) -> list[ModuleType]:
    """Return a package and all modules directly below it. For ``jaxgan``, return only the package itself."""
    root = importlib.import_module(package)
    if package == "jaxgan" or not hasattr(root, "__path__"):
        return [root]
    names = [info.name for info in pkgutil.iter_modules(root.__path__, f"{package}.")]
    return [root, *(importlib.import_module(name) for name in names)]


def _own_names(module: ModuleType) -> list[str]:
    """Return the names of the public functions and classes that a module defines, in the order of the source."""
    found = [
        (inspect.getsourcelines(value)[1], name)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and value.__qualname__ == name
    ]
    return [name for _, name in sorted(found)]


def _exported(package: ModuleType) -> dict[str, str]:
    """Return the names that a package exports from its modules.

    The result is a dictionary from full names, such as ``jaxgan.core.game.Game``, to the names under which the package
    exports them, such as ``jaxgan.Game``.
    """
    names = getattr(package, "__all__", None) or [name for name in vars(package) if not name.startswith("_")]
    found = {}
    for name in names:
        value = getattr(package, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            module = value.__module__
            if module.startswith("jaxgan.") and module != package.__name__:
                found[f"{module}.{value.__qualname__}"] = f"{package.__name__}.{name}"
    return found


def _documented_names() -> dict[str, str]:
    """Return a dictionary from the full names of all public objects to the names under which they are documented.

    An object that several packages export is documented under the first of these packages in ``API``.
    """
    names: dict[str, str] = {}
    for page in API:
        for full, short in _exported(importlib.import_module(page)).items():
            names.setdefault(full, short)
    for page in API:
        for module in _modules(page):
            for name in _own_names(module):
                full = f"{module.__name__}.{name}"
                names.setdefault(full, full)
    return names


def _directive(full: str, short: str) -> str:
    module, _, name = full.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    kind = "autofunction" if inspect.isfunction(value) else "autoclass"
    return f"```{{eval-rst}}\n.. {kind}:: {short}\n```\n"


def _api_page(page: str, documented: Mapping[str, str]) -> str:
    lines = [f"# {page}", ""]
    for module in _modules(page):
        names = [f"{module.__name__}.{name}" for name in _own_names(module)]
        if module.__name__ == page:
            exported = [full for full, short in documented.items() if short.rpartition(".")[0] == page]
            names = list(dict.fromkeys([*exported, *names]))
        else:
            names = [full for full in names if documented[full] == full]
            if not names:
                continue
            lines += [f"## {module.__name__}", ""]
        lines += ["```{eval-rst}", f".. automodule:: {module.__name__}", "   :no-members:", "```", ""]
        lines += [text for full in names for text in (_directive(full, documented[full]), "")]
    return "\n".join(lines)


# Descriptions of attributes and properties before napoleon changes them. Napoleon would read the text before a colon as
# a type.
_descriptions: dict[str, list[str]] = {}


def _prepare_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Mark code and escape special characters, so that the page shows a docstring as a terminal does.

    Before the first section of a docstring, such as Args, indented blocks are code. Asterisks and bars outside of code
    belong to shapes and formulas, such as [B, *shape], and must not be read as markup.
    """
    sections = r"(Args|Attributes|Returns|Raises|Warns|Yields):"
    end = next((i for i, line in enumerate(lines) if re.fullmatch(sections, line)), len(lines))
    prepared = []
    for i, line in enumerate(lines):
        is_code = i < end and line.startswith("    ")
        previous = next((text for text in reversed(lines[:i]) if text.strip()), "")
        if is_code and not previous.startswith("    ") and not previous.endswith("::"):
            prepared += ["::", ""]
        prepared.append(line if is_code or line.lstrip().startswith(">>>") else _escape_markup(line))
    lines[:] = prepared
    if what in ("attribute", "property"):
        _descriptions[name] = prepared


def _finish_docstring(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what in ("attribute", "property"):
        lines[:] = [*_descriptions.pop(name, lines), ""]
    # In the section Returns, napoleon reads the words before the first colon as a type, and writes a dash after them.
    lines[:] = [re.sub(r"^(:returns: .*?) --(?= |$)", r"\1:", line) for line in lines]


def _shorten_signature(
    app: Any, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None]:
    """Replace ``<factory>``, the default of fields with a default factory, by ``...``, which Sphinx can parse."""
    return (signature.replace("<factory>", "...") if signature else signature), returned


def _escape_markup(line: str) -> str:
    parts = re.split(r"(``[^`]*``|^\s*\*{1,2}\w+:)", line)
    return "".join(part if i % 2 else re.sub(r"([*|])", r"\\\1", part) for i, part in enumerate(parts))


def _make_resolver(documented: dict[str, str]) -> Any:
    """Return a handler that resolves references to full names, which occur in the types of signatures."""

    def resolve(app: Any, env: Any, node: Any, contnode: Any) -> Any:
        target = node.get("reftarget", "")
        short = documented.get(target)
        if node.get("refdomain") != "py" or short is None or short == target:
            return None
        domain = env.get_domain("py")
        return domain.resolve_xref(env, node.get("refdoc", ""), app.builder, "obj", short, node, contnode)

    return resolve


# The command line


def _command_line_page() -> str:
    lines = [
        "# Command line",
        "",
        "The program `jaxgan` has the following commands. `jaxgan COMMAND --help` prints the same texts.",
        "",
    ]
    for name in commands.COMMANDS:
        operands = () if name in ("train", "resume") else commands.OPERANDS
        fields = [field for field in commands.command_fields(name) if field.name not in operands]
        lines += _command(f"jaxgan {name}", name, fields)
        if name == "train":
            lines += ["The settings of each experiment are listed [on their own page](experiments.md).", ""]
    for name in tools.TOOLS:
        parser = tools.make_parser(name)
        title = f"jaxgan {name}" + (" (exported files)" if name in commands.COMMANDS else "")
        lines += [f"## {title}", "", f"`jaxgan {name} {tools.TOOLS[name].operands}`".replace(" `", "`"), ""]
        lines += [tools.TOOLS[name].about, "", *_flags(parser)]
    return "\n".join(lines)


def _command(title: str, name: str, fields: Any) -> list[str]:
    text = commands.read_command(name)
    parser = flags.FlagParser(title, text.about, text.examples)
    flags.add_flags(parser, fields)
    return [f"## {title}", "", text.about, "", *_flags(parser)]


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    """Return the lines of a Markdown definition list of a parser's arguments, with a heading for each group."""
    lines = []
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if a.help not in (argparse.SUPPRESS, None) and a.dest != "help"]
        if actions and group.title not in ("options", "positional arguments", None):
            lines += [f"**{group.title.capitalize()}**", ""]
        formatter = parser._get_formatter()
        for action in actions:
            names = ", ".join(f"`{option}`" for option in action.option_strings) or f"`{action.metavar}`"
            value = (
                ""
                if action.nargs == 0 or not action.option_strings
                else f" `{formatter._format_args(action, action.metavar or action.dest.upper())}`"
            )
            text = formatter._expand_help(action)
            lines += [f"{names}{value}", f": {_escape(' '.join(text.split()))}", ""]
    return lines


def _escape(text: str) -> str:
    """Escape the characters of a plain text that have a meaning in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>$|])", r"\\\1", text)


# The settings of experiments


def _experiments_page() -> str:
    lines = [
        "# Settings of the experiments",
        "",
        "Each setting is a flag of `jaxgan train EXPERIMENT` and a field of the experiment's `Config`.",
        "",
    ]
    for heading, names in EXPERIMENT_GROUPS:
        lines += [f"## {heading}", ""]
        for name in names:
            module = experiment_files.read_experiment(name)
            header = experiment_files.header(module)
            lines += [f"### {name}", "", _escape(experiment_files.title(module)), ""]
            lines += [
                f"- **{key}**: {_escape(text)}" for key, text in header.items() if key in ("Paper", "Presets", "Data")
            ]
            lines += ["", "| setting | default | description |", "|---|---|---|"]
            fields = read_class(module, "Config").fields
            lines += [_row(field, [other.name for other in fields]) for field in fields]
            lines.append("")
    return "\n".join(lines)


def _row(field: Field, names: Sequence[str]) -> str:
    default = "required" if field.default is REQUIRED else f"`{field.default}`"
    choices = f" One of {', '.join(f'`{choice}`' for choice in field.choices)}." if field.choices else ""
    text = _escape(" ".join(flags.describe(field, names).split()))
    return f"| `{flags.flag(field.name)}` | {default} | {text}{choices} |"


# The table of results


def _results_page() -> str:
    text = (
        (REPOSITORY / "experiments" / "README.md").read_text(encoding="utf-8").replace("# Experiments", "# Results", 1)
    )
    text = re.sub(r"\]\(\.\./docs/([\w/]+\.md)\)", r"](../../\1)", text)
    text = re.sub(r"src=\"([\w./-]+)\"", r'src="../../../experiments/\1"', text)
    text = re.sub(r"!\[([^\]]*)\]\(([\w./-]+)\)", r"![\1](../../../experiments/\2)", text)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?:results|benchmarks)?/?[\w.-]*(?:json|py|/)\)", r"`\1`", text)


def _redirect_links(app: Any, docname: str, source: list[str]) -> None:
    """Replace links to files outside of ``docs``. These links work in the repository but not on the site."""
    text = source[0]
    text = re.sub(r"\]\((?:\.\./)+experiments/README\.md(#[\w-]+)?\)", r"](/reference/generated/results.md)", text)
    source[0] = re.sub(r"(?<!!)\[([^\]`]+)\]\((?:\.\./)+(?:experiments|jaxgan|tests)[\w./-]*\)", r"`\1`", text)
