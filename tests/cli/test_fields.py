"""Fields that are read from the text of modules, compared with the dataclasses themselves."""

import dataclasses
import importlib
import re
import sys
import typing
from pathlib import Path

import pytest

from jaxgan.cli import commands, experiment_files
from jaxgan.cli.fields import REQUIRED, ClassText, Field, ModuleText, fields_of, read_class, read_module

TEXT = '''
"""A docstring."""
import dataclasses
from other import Base, Colour
from . import shades
from mathematics import numbers
from typing import Literal

PRESETS = {"paper": {"size": 3}, "demo": {}, **{}}
TWO = 2
COLOURS: int = 3

@dataclasses.dataclass
class Config(Base):
    """A description.

    A second paragraph.

    Attributes:
      size: The size,
        in pixels.
      rest: The remainder.

    Examples:
      COMMAND --size 3
    """

    # Data
    size: int = 4
    shade: shades.Shade = "dark"
    # A sentence is no heading.
    colours: tuple[Colour, ...] = ("red",)
    # Run
    rest: float | None = None
    count: int = TWO
    made: str = str(TWO)
    path: str
    """Below it."""
    lazily: int = dataclasses.field(default=7)
    given: Mapping[str, int] = dataclasses.field(default_factory=dict)
    inner: Inner = dataclasses.field(default_factory=Inner)

    def size_of(self): ...

class Inner:
    is_deep: bool = False
'''
OTHER = '''
from typing import Literal
Colour = Literal["red", "blue"]
class Base:
    # Run
    seed: int = 0
    """Seed of the weights."""
    # Data
    size: int
    """Overridden."""
'''


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "config.py").write_text(TEXT)
    (tmp_path / "other.py").write_text(OTHER)
    (tmp_path / "shades.py").write_text('from typing import Literal\nShade = Literal["dark", "light"]\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    return ModuleText(tmp_path / "config.py")


def test_a_class_is_read_with_its_bases_headings_types_and_defaults(module):
    text = read_class(module, "Config")
    assert isinstance(text, ClassText)
    assert (text.about, text.examples) == ("A description.\n\nA second paragraph.", ("COMMAND --size 3",))
    assert list(text.fields) == [
        Field("seed", "int", default=0, help="Seed of the weights.", heading="Run"),
        Field("size", "int", default=4, help="The size, in pixels.", heading="Data"),
        Field("shade", "str", ("dark", "light"), default="dark", heading="Data"),
        Field("colours", "str", ("red", "blue"), is_tuple=True, default=("red",), heading="Data"),
        Field("rest", "float", is_optional=True, default=None, help="The remainder.", heading="Run"),
        Field("count", "int", default=2, heading="Run"),
        Field("made", "str", default="str(TWO)", heading="Run"),
        Field("path", "str", default=REQUIRED, help="Below it.", heading="Run"),
        Field("lazily", "int", default=7, heading="Run"),
        Field("is_deep", "bool", default=False, owner="inner"),
    ]


def test_find_returns_the_definitions_of_names(module):
    assert module.docstring == "A docstring."
    assert module.dict_keys("PRESETS") == ("paper", "demo")
    assert module.dict_keys("TWO") == module.dict_keys("NOTHING") == ()
    assert module.find("Inner")[0] is module and module.find("Colour")[0].path.name == "other.py"
    assert module.find("numbers") is None and module.find_in_module("shades", "Shade")[0].path.name == "shades.py"
    assert module.find_in_module("nothing", "Shade") is None


def test_a_type_that_flags_cannot_have_is_refused(tmp_path):
    (tmp_path / "a.py").write_text("class Config:\n    table: dict[str, int]\n")
    message = r"a\.py: Config.table has the type dict\[str, int\], which flags cannot have\. The allowed types are int,"
    with pytest.raises(ValueError, match=message):
        read_class(ModuleText(tmp_path / "a.py"), "Config")
    with pytest.raises(ValueError, match=r"a\.py has no class Settings"):
        read_class(ModuleText(tmp_path / "a.py"), "Settings")


@pytest.mark.parametrize("name", experiment_files.names())
def test_settings_that_are_read_from_text_equal_the_class(name):
    """Names, types, defaults and choices are compared for each experiment."""
    config_class = importlib.import_module(f"experiments.{name}").Config
    fields = read_class(experiment_files.read_experiment(name), "Config").fields
    assert fields == fields_of(config_class)
    types = typing.get_type_hints(config_class)
    expected = {field.name: (types[field.name], field.default) for field in dataclasses.fields(config_class)}
    assert {field.name for field in fields} == set(expected)
    for field in fields:
        hint, default = expected[field.name]
        assert field.default == default, field.name
        assert field.help and field.heading, field.name
        hint_text = str(hint)
        assert field.is_optional == ("None" in hint_text) and field.is_tuple == hint_text.startswith("tuple"), field
        if field.choices:
            assert field.choices == tuple(map(str, typing.get_args(hint)))
        else:
            assert re.search(rf"\b{field.type}\b", hint_text)


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_commands_that_are_read_from_text_equal_the_class(name):
    place = commands.COMMANDS[name]
    command_class = getattr(importlib.import_module(f"jaxgan.cli.{place.module}"), place.class_name)
    text = commands.read_command(name)
    own = {field.name for field in text.fields if not field.owner} | {field.owner for field in text.fields} - {""}
    given = {commands.SETTINGS, commands.OPTIONS}
    assert own == {field.name for field in dataclasses.fields(command_class)} - given
    assert text.about and text.examples and all(field.help for field in text.fields)


PROGRAM = '''
import dataclasses
from typing import Literal, Optional
from jaxgan.experiments import gan
from jaxgan.experiments.dcgan import Config as Other
import enum
class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass(frozen=True)
class Config(gan.Config):
    # Own
    colour: Literal["red", None] = "red"
    """Colour of the hat."""
    sizes: tuple[int, ...] = (1, 2)
    deep: Optional[float] = None
    made: int = len("abc")

@dataclasses.dataclass(frozen=True)
class Extended(Other):
    steps: int = 7

@dataclasses.dataclass(frozen=True)
class Refused(gan.Config):
    colour: Colour = Colour.RED

@dataclasses.dataclass(frozen=True)
class Clash(gan.Config):
    quiet: bool = False
'''


@pytest.fixture
def custom(tmp_path, monkeypatch):
    (tmp_path / "custom_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("custom_program")
    sys.modules.pop("custom_program")


def test_the_fields_of_a_custom_program_equal_its_class(custom):
    fields = {field.name: field for field in fields_of(custom.Config)}
    colour = Field("colour", "str", ("red",), True, default="red", help="Colour of the hat.", heading="Own")
    assert fields["colour"] == colour
    assert fields["sizes"] == Field("sizes", "int", is_tuple=True, default=(1, 2), heading="Own")
    assert fields["deep"] == Field("deep", "float", is_optional=True, default=None, heading="Own")
    assert fields["made"].default == 3
    # The settings of the extended experiment come first, with their descriptions and headings.
    inherited = read_class(experiment_files.read_experiment("gan"), "Config").fields
    assert list(fields.values())[: len(inherited)] == list(inherited)
    extended = {field.name: field for field in fields_of(custom.Extended)}
    assert extended["steps"].default == 7 and extended["steps"].help == fields["steps"].help
    assert "g_channels" in extended


def test_the_text_of_a_program_that_extends_an_experiment_is_read(custom):
    text = read_class(ModuleText(Path(custom.__file__)), "Extended")
    assert text.fields == fields_of(custom.Extended)
    with pytest.raises(ValueError, match=r"The base class gan\.Config of Config was not found\."):
        read_class(ModuleText(Path(custom.__file__)), "Config")


def test_settings_that_cannot_become_flags_are_refused(custom):
    with pytest.raises(ValueError, match=r"Refused\.colour has the type Colour, which flags cannot have\."):
        fields_of(custom.Refused)
    with pytest.raises(ValueError, match="The setting quiet has the same name as a flag of the command `train`"):
        commands.command_fields("train", fields_of(custom.Clash))
    with pytest.raises(ValueError, match="The setting inner is a dataclass, but settings cannot be nested"):
        commands.command_fields("train", [Field("deep", "int", owner="inner")])


def test_the_first_base_class_overrides_the_others(tmp_path):
    text = "class A:\n    size: int = 1\nclass B:\n    size: int = 2\n    more: int = 3\nclass Config(A, B):\n    own: int = 4\n"
    (tmp_path / "a.py").write_text(text)
    fields = read_class(ModuleText(tmp_path / "a.py"), "Config").fields
    assert [(field.name, field.default) for field in fields] == [("size", 1), ("more", 3), ("own", 4)]


def test_other_encodings_and_line_endings_are_read(tmp_path):
    text = '# -*- coding: latin-1 -*-\r\nclass Config:\r\n    # Data\r\n    size: int = 3\r\n    """Gr\xf6\xdfe."""\r\n'
    (tmp_path / "a.py").write_bytes(text.encode("latin-1"))
    (field,) = read_class(ModuleText(tmp_path / "a.py"), "Config").fields
    assert (field.heading, field.help) == ("Data", "Größe.")
    (tmp_path / "b.py").write_bytes(b"\xef\xbb\xbfclass Config:\n    size: int = 3\n    ...\n")
    (field,) = read_class(ModuleText(tmp_path / "b.py"), "Config").fields
    assert (field.default, field.help) == (3, "")


def test_a_module_is_read_only_once():
    path = Path(__file__)
    assert read_module(path) is read_module(path)
