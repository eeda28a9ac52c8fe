"""The text and the HTML that describe an experiment."""

import dataclasses

import numpy as np
import pytest

from experiments import cgan, cyclegan, dcgan
from jaxgan.data import Arrays
from jaxgan.experiment import Display, representation

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), np.uint8)
SOURCE = Arrays(IMAGES, np.arange(40, dtype=np.int32) % 2, "forty", ("cat", "dog"))


def indented(text):
    return text.replace("\n", "\n  ")


def test_repr_lists_the_parts_of_an_experiment():
    built = dcgan.build(dcgan.Config.tiny(), SOURCE)
    assert repr(built) == (
        f"Experiment\n  game: {indented(repr(built.game))}\n  source: {SOURCE!r}\n  samples: unconditional"
    )
    assert representation.show_experiment(built) == repr(built)
    more = dataclasses.replace(
        built,
        held_out=SOURCE,
        game_at=lambda step: built.game,
        display=Display(sheets={"mixed": lambda nets, batch, keys: batch["image"]}),
    )
    added = ["  image sheets: mixed", "  held out: 40 examples", "  schedule: the game changes with the step"]
    assert repr(more).splitlines()[-3:] == added


def test_repr_describes_the_kind_of_samples():
    conditional = cgan.build(cgan.Config.tiny(), SOURCE)
    assert repr(conditional.sampling) == f"Sampling: {representation.show_sampling(conditional.sampling)}"
    assert repr(conditional.sampling) == "Sampling: conditional, 2 classes (cat, dog)"
    assert repr(conditional).endswith("samples: conditional, 2 classes (cat, dog)")
    translating = cyclegan.build(cyclegan.Config.tiny())
    assert "  samples: translations of images, a_to_b, b_to_a\n" in repr(translating)


def test_html_has_a_table_and_the_data():
    built = dcgan.build(dcgan.Config.tiny(), SOURCE)
    text = built._repr_html_()
    assert text == representation.experiment_as_html(built)
    assert "Experiment: Game" in text and text.endswith(SOURCE._repr_html_())
    for cell in (
        "Discriminator(channels=4, base_resolution=2), input [1, 8, 8, 1]",
        "owns g, minimises generator_loss",
    ):
        assert f">{cell}</td>" in text
    assert "<p>samples: unconditional</p>" in text


def test_html_shows_the_repr_of_a_custom_source():
    class Custom:
        name, shape, classes = "custom", (8, 8, 1), ()

        def __len__(self):
            return 4

        def __repr__(self):
            return "<custom>"

    built = dataclasses.replace(dcgan.build(dcgan.Config.tiny(), SOURCE), source=Custom())
    assert built._repr_html_().endswith("<p>&lt;custom&gt;</p>")


@pytest.mark.integration
def test_repr_of_default_experiments_is_short():
    for program in (dcgan, cyclegan):
        assert len(repr(program.build(program.Config()))) < 2000
