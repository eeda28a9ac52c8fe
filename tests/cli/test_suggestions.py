"""The tables of habits: each names something that is there."""

import pytest

from jaxgan.cli import commands, experiment_files, suggestions, tools
from jaxgan.cli.fields import read_class


def all_fields():
    """The fields of all commands of all experiments."""
    settings = [
        read_class(experiment_files.read_experiment(name), "Config").fields for name in experiment_files.names()
    ]
    fields = [field for own in settings for field in commands.command_fields("train", own, ("paper",))]
    return {field.name for field in fields} | {
        field.name for name in commands.COMMANDS for field in commands.command_fields(name)
    }


def test_every_habit_leads_to_a_flag_that_is_there():
    names = all_fields()
    habits = [(name, target.split("|")) for name, target in suggestions.HABITS.items() if " " not in target]
    assert {target for _, targets in habits for target in targets} <= names
    assert not [name for name, targets in habits if name.replace("-", "_") in targets]


@pytest.mark.parametrize("habit", suggestions.COMMAND_HABITS)
def test_every_habit_leads_to_a_command_that_is_there(habit):
    names = [*commands.COMMANDS, *tools.TOOLS]
    meant = suggestions.COMMAND_HABITS[habit]
    assert habit not in names
    answer = suggestions.answer_command(habit, names, "jaxgan")
    if " " in meant:
        assert answer == f"jaxgan has no command {habit}: {meant}"
    else:
        assert meant in names and answer.endswith(f"did you mean jaxgan {meant}?")


@pytest.mark.parametrize("habit", suggestions.EXPERIMENT_HABITS)
def test_every_habit_leads_to_an_experiment_that_is_there(habit):
    meant = suggestions.EXPERIMENT_HABITS[habit]
    assert meant in experiment_files.names() and habit not in experiment_files.names()
    with pytest.raises(ValueError, match=f"there is no experiment {habit}; did you mean {meant}\\?"):
        experiment_files.find(habit)


def test_what_is_unknown_is_answered_one_by_one():
    flags = ["--learning-rate", "--batch-size"]
    answer = suggestions.answer_unknown(["--lr", "3", "--bs=4", "-5"], flags, "prog")
    assert (
        answer
        == "--lr is not a flag; it is called --learning-rate here. --bs is not a flag; it is called --batch-size here."
    )
    # A habit whose flag the command does not have is no help.
    assert suggestions.answer_flag("--lr", ["--out"]) == "--lr is not a flag of this command."
    assert suggestions.closest("batch-sise", ["batch-size", "beta1"]) == "batch-size"
    assert suggestions.closest("qqq", ["batch-size"]) is None
    assert suggestions.answer_command("qqq", ["train"], "prog") == "prog has no command qqq; its commands are train."
