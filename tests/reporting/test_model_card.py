"""Tests of model cards. tests/experiment/test_parameter_file.py tests the card that the command ``export`` writes."""

import dataclasses
import math

import jax
import pytest
from helpers import games

from jaxgan.data import Unpaired
from jaxgan.reporting.model_card import (
    BEGINS,
    check_card_path,
    export_usage,
    make_card,
    parameters_usage,
    write_card,
)

ABOUT = """A toy in the plane.

Paper      Goodfellow et al. 2014,
           arXiv:1406.2661
Data       points
"""


@pytest.fixture(scope="module")
def experiment():
    return games.points_experiment()


def card(experiment, **more):
    state = experiment.game.init(jax.random.key(0))
    settings = {"data": "digits", "seed": 0}
    how = {
        "name": "toy",
        "program": "python toy.py",
        "about": ABOUT,
        "config": settings,
        "step": 7,
        "usage": "USE IT",
        **more,
    }
    return make_card(experiment, variables=experiment.variables(state), **how)


def section(text, title):
    return text.partition(f"## {title}\n\n")[2].partition("\n\n## ")[0]


def test_the_sections_of_a_card(experiment):
    text = card(experiment, member="member 2 (seed 2)")
    assert text.startswith(f"{BEGINS}toy, step 7\n\n")
    details = section(text, "Model details")
    assert "- Description: A toy in the plane.\n" in details
    assert "- Paper: Goodfellow et al. 2014, arXiv:1406.2661\n" in details
    assert "`python toy.py`, step 7, member 2 (seed 2)\n" in details
    assert f"- Networks: `g` with {2 * 8 + 8 + 8 * 2 + 2} parameters\n" in details  # only the generator
    assert "- Parameters: the parameters at this step\n" in details
    assert "- Input: random latents\n" in details
    assert details.endswith("- Output: arrays of shape 2; the command `sample` writes coordinates")
    assert section(text, "How to use it") == "USE IT"
    assert section(text, "Training data").startswith("64 examples of arrays, shape 2.")
    assert '"seed": 0' in section(text, "Settings")
    assert "- Paper: the experiment names none\n" in card(experiment, about="A toy.")


def test_the_card_of_a_private_run_states_its_privacy_loss(experiment):
    text = card(experiment, privacy="epsilon 3. Epsilon does not cover the bounds.")
    assert section(text, "Privacy") == "epsilon 3. Epsilon does not cover the bounds."
    assert "## Privacy" not in card(experiment)


def test_only_metrics_of_the_same_step_and_member_are_shown(experiment):
    protocol = {"samples": {"name": "toy in runs/toy, member 1", "step": 7}}
    evaluation = {"recall": 0.25, "modes": math.inf, "protocol": protocol}
    shown = section(card(experiment, evaluation=evaluation, member="member 1"), "Evaluation")
    assert "| recall | 0.25 |" in shown and "modes" not in shown and '"step": 7' in shown
    other = section(card(experiment, evaluation=evaluation, member="member 2"), "Evaluation")
    assert other == (
        "There are no metrics of these parameters. The run was evaluated for toy in runs/toy, member 1, step 7."
    )
    assert "was not evaluated" in section(card(experiment), "Evaluation")
    assert "is damaged" in section(card(experiment, evaluation={}), "Evaluation")


def test_the_origins_of_unpaired_data_are_listed(experiment):
    both = dataclasses.replace(experiment, source=Unpaired(experiment.source, experiment.source))
    text = make_card(
        both,
        name="toy",
        program="python toy.py",
        about=ABOUT,
        config={"data": "x"},
        step=1,
        variables={"g": {"params": {}}},
        usage="",
    )
    assert section(text, "Training data").count("\n- `") >= 1


def test_a_card_replaces_only_another_card(tmp_path):
    file = tmp_path / "toy.safetensors"
    check_card_path(file)
    assert write_card(file, BEGINS + "one") == tmp_path / "toy.md"
    write_card(file, BEGINS + "two")
    assert (tmp_path / "toy.md").read_text() == BEGINS + "two"
    (tmp_path / "toy.md").write_text("# Mine")
    for refuse in (lambda: check_card_path(file), lambda: write_card(file, BEGINS)):
        with pytest.raises(
            ValueError, match=r"`out` .*toy.safetensors cannot be used: its model card would replace .*toy.md"
        ):
            refuse()
    assert (tmp_path / "toy.md").read_text() == "# Mine"


def test_usage_has_the_command_that_uses_the_file():
    assert "```sh\njaxgan sample a.safetensors\n```" in parameters_usage("jaxgan sample a.safetensors")
    assert "jaxgan sample a.jaxgan --out grid.png" in export_usage("a.jaxgan", translates=False)
    assert "jaxgan translate a.jaxgan photos/ --out made/" in export_usage("a.jaxgan", translates=True)
