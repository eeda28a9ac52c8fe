"""The tables of names from other tools: each entry leads to an existing flag, command or experiment."""

import pytest

from jaxgan.cli import commands, experiment_files, suggestions, tools
from jaxgan.cli.fields import read_class


def all_fields():
    """Return the names of the fields of all commands and of the settings of all experiments."""
    settings = [
        read_class(experiment_files.read_experiment(name), "Config").fields for name in experiment_files.names()
    ]
    fields = [field for own in settings for field in commands.command_fields("train", own, ("paper",))]
    return {field.name for field in fields} | {
        field.name for name in commands.COMMANDS for field in commands.command_fields(name)
    }


def test_flags_of_other_tools_lead_to_existing_flags():
    names = all_fields()
    habits = [(name, target.split("|")) for name, target in suggestions.HABITS.items() if " " not in target]
    assert {target for _, targets in habits for target in targets} <= names
    assert not [name for name, targets in habits if name.replace("-", "_") in targets]


@pytest.mark.parametrize("habit", suggestions.COMMAND_HABITS)
def test_commands_of_other_tools_lead_to_existing_commands(habit):
    names = [*commands.COMMANDS, *tools.TOOLS]
    target = suggestions.COMMAND_HABITS[habit]
    assert habit not in names
    answer = suggestions.answer_command(habit, names, "jaxgan")
    if " " in target:
        assert answer == f"`jaxgan` has no command '{habit}'. {target}"
    else:
        assert target in names and answer.endswith(f"Did you mean `jaxgan {target}`?")


@pytest.mark.parametrize("habit", suggestions.EXPERIMENT_HABITS)
def test_other_gans_lead_to_existing_experiments(habit):
    target = suggestions.EXPERIMENT_HABITS[habit]
    assert target in experiment_files.names() and habit not in experiment_files.names()
    with pytest.raises(ValueError, match=f"There is no experiment '{habit}'\\. Did you mean {target}\\?"):
        experiment_files.find(habit)


def test_each_unknown_flag_has_its_own_correction():
    flags = ["--learning-rate", "--batch-size"]
    answer = suggestions.answer_unknown(["--lr", "3", "--bs=4", "-5"], flags, "prog")
    assert answer == (
        "This command has no flag --lr. Use --learning-rate instead. "
        "This command has no flag --bs. Use --batch-size instead."
    )
    # The table suggests a flag only if the command has it.
    assert suggestions.answer_flag("--lr", ["--out"]) == "This command has no flag --lr."
    assert suggestions.closest("batch-sise", ["batch-size", "beta1"]) == "batch-size"
    assert suggestions.closest("qqq", ["batch-size"]) is None
    answer = suggestions.answer_command("qqq", ["train"], "prog")
    assert answer == "`prog` has no command 'qqq'. Its commands are train."
