"""The commands ``train`` and ``resume``: train an experiment, continue a run, or describe a run without training it."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
from jax.experimental import multihost_utils

from jaxgan import parallel
from jaxgan.cli import errors
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core import system
from jaxgan.core.text import say
from jaxgan.data.readers import set_readers
from jaxgan.experiment import dp_training, quality
from jaxgan.experiment.advice import advice
from jaxgan.experiment.experiment import Experiment
from jaxgan.experiment.settings_file import check_types
from jaxgan.monitoring import metrics_file, probe
from jaxgan.monitoring.data_paths import locate_data
from jaxgan.monitoring.data_record import describe_data
from jaxgan.monitoring.run_directory import (
    RunDirectory,
    check_settings_unchanged,
    find_resumable,
    read_classes,
    read_config,
    read_data_paths,
    read_options,
)
from jaxgan.reporting import report
from jaxgan.training import announcements, hosts, loop
from jaxgan.training.description import check_disk, describe_disk, print_description
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun, make_run, use_cores
from jaxgan.training.steps import Steps

DP_SEED_OF_RESUMED = (
    "`dp_seed` has no effect on a run that is resumed from a checkpoint, because the noise continues. The seed cannot "
    "be compared with the seed of the run, because no file contains it."
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Train:
    """Train an experiment, or continue its run if the run directory already contains one.

    Attributes:
      preset: Name of a preset, which is a set of settings to use in place of the defaults. Settings that are passed as
        flags override the preset.
      config: YAML or JSON file that maps names of settings and options to values, or the config.json of a run. Flags
        override the values in the file.
      settings: The settings that are passed as flags, as a dictionary from names to values.
      options: The options of the run that are passed as flags, as a dictionary from names to values.
      dry_run: Print the networks and estimates of memory and time, without training.

    Examples:
      COMMAND
      COMMAND --steps 2000 --seed 1 --run-dir runs/second
      COMMAND --dry-run
    """

    preset: str | None = None
    config: str | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    dry_run: bool = False

    def execute(self, program: ExperimentProgram) -> None:
        train(program, self.read_settings(program), RunOptions(**self.options), self.dry_run)

    def read_settings(self, program: ExperimentProgram) -> Any:
        """Return the experiment's settings: the defaults, overridden by the preset, overridden by the flags.

        Args:
          program: the program of the experiment, with its presets.

        Raises:
          ValueError: if a default value of the settings has the wrong type.
        """
        default = program.config_class()
        check_types(dataclasses.asdict(default), program.config_class, f"the defaults of {program.name}")
        config = dataclasses.replace(default, **self.settings)
        if self.preset is None:
            return config
        preset = program.presets[self.preset]
        settings = preset(config, self.settings) if callable(preset) else preset
        return dataclasses.replace(config, **{**settings, **self.settings})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Resume:
    """Continue a run with the values that it was started with.

    The settings of the experiment cannot be changed, except the number of steps and the place of the data. The
    following flags override the number of steps and the options of the run. An option that is not passed as a flag
    keeps its value, even if the description of the flag names another default.

    The settings that name the data can be changed if the data were moved. The data must be the same: their number,
    shape and classes, and some of the examples, are compared with the record of the run.

    Attributes:
      steps: Number of the step at which training ends. By default, the number that the run was started with.
      settings: The settings that name the data, if they are passed as flags, as a dictionary from names to values.
      options: The options of the run that are passed as flags, as a dictionary from names to values.

    Examples:
      COMMAND
      COMMAND --steps 20000
    """

    steps: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def execute(self, program: ExperimentProgram) -> None:
        path = program.path_of_run(self.options.get("run_dir"))
        config = read_config(path, program.name, program.config_class)
        check_settings_unchanged(path)
        if self.steps is not None:
            config = dataclasses.replace(config, steps=self.steps)
        config = dataclasses.replace(config, **self.settings)
        options = RunOptions.resumed(read_options(path), {**self.options, "run_dir": str(path)})
        recorded = {name: place for name, place in read_data_paths(path).items() if name not in self.settings}
        train(program, config, options, data_paths=recorded)


def train(
    program: ExperimentProgram,
    config: Any,
    options: RunOptions,
    dry_run: bool = False,
    data_paths: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Train from the newest checkpoint in the run's directory until ``config.steps``, and write the report.

    Args:
      program: the experiment.
      config: the settings of the experiment.
      options: the options of the run.
      dry_run: whether to describe the run without training it.
      data_paths: dictionary from settings that name data to absolute paths. A path is used if the data are not found at
        the path in the setting; see ``locate_data``.

    Raises:
      ValueError: if the settings are not allowed, or contradict the run in the directory.
      Diverged, Interrupted: see ``loop.train``.
    """
    options.check()
    if options.coordinator is not None:
        address = None if options.coordinator == "auto" else options.coordinator
        parallel.initialize(address, options.num_processes, options.process_id, hosts.describe(program.name, config))
    use_cores(config)
    set_readers(options.readers)
    with announcements.waiting(f"loading the data: {config.data}", options):
        classes = () if options.fresh else read_classes(program.path_of_run(options.run_dir))
        experiment = program.build_with_classes(locate_data(config, data_paths), classes)
    hosts.check_data(experiment.source)
    if not options.quiet and jax.process_index() == 0:
        _print_advice(config, experiment)
    run = make_run(config, experiment, program.build)
    steps = Steps(run, config, run.devices(options.devices), options.parallel, options.cache_bytes, remat=options.remat)
    account = functools.partial(dp_training.privacy_spent, run.experiment, config)
    planned_privacy = account(config.steps)
    if dry_run:
        print_description(run, config, options, steps)
        if planned_privacy:
            say(planned_privacy["summary"])
        return
    path, data = program.path_of_run(options.run_dir), {}
    if jax.process_index() == 0:
        # The check comes before the steps are traced, because tracing takes half a minute for StyleGAN2.
        data = describe_data(experiment, config)
        _check_and_announce(program, run, config, options, data, steps)
    with announcements.waiting("tracing the training step", options):
        steps.trace()
    probe.check_held_out(run.experiment)
    with announcements.waiting("preparing the evaluations", options):
        evaluator = _make_evaluator(program, run, config, options, data_paths)
    directory = None
    if jax.process_index() == 0:
        directory = RunDirectory(path, program.name, config, data, run.member_settings, options.fresh)
        directory.add_to_record(program=program.train_command, options=options.recorded())
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the run directory exists")
    if directory is None:  # only the first process of a run writes to the run's directory
        loop.train(run, config, options, path, program.name, evaluator, steps)
        return
    with _finishing(directory, program, options, planned_privacy, account):
        if planned_privacy:
            directory.add_to_record(privacy={"planned": planned_privacy})
            if not options.quiet:
                say(planned_privacy["summary"])
        loop.train(run, config, options, path, program.name, evaluator, steps, directory.check)


def _check_and_announce(
    program: ExperimentProgram,
    run: TrainingRun,
    config: Any,
    options: RunOptions,
    data: Mapping[str, Any],
    steps: Steps,
) -> None:
    """Check the run's directory and the space on its disk, and print what will be trained. No file is written.

    Raises:
      ValueError: if the directory contains a run with another experiment, other settings or other data.
    """
    path = program.path_of_run(options.run_dir)
    resumed = find_resumable(path, program.name, config, data, options.fresh)
    if resumed and config.dp_seed is not None:
        errors.print_warning(DP_SEED_OF_RESUMED, ["dp_seed"])
    if not options.quiet:
        announcements.print_start(program.name, run, steps)
        say(describe_disk(run, config, options))
    too_small = check_disk(run, config, options, path)
    if too_small:
        errors.print_warning(too_small, ["run_dir"])


def _record_privacy(
    directory: RunDirectory, planned: Mapping[str, Any] | None, account: Callable[[int], Mapping[str, Any] | None]
) -> Mapping[str, Any] | None:
    """Record the privacy budget that a private run has spent, and return it; None for other runs."""
    done = account(_last_step(directory.path)) if planned else None
    if done:
        directory.add_to_record(privacy={"planned": planned, "done": done})
    return done


@contextlib.contextmanager
def _finishing(
    directory: RunDirectory,
    program: ExperimentProgram,
    options: RunOptions,
    planned: Mapping[str, Any] | None,
    account: Callable[[int], Mapping[str, Any] | None],
) -> Iterator[None]:
    """Record and print the privacy that the run has spent, write the report, and release the directory, at any end."""
    can_write, privacy = True, None
    try:
        yield
    except OSError:
        can_write = False
        raise
    finally:
        with contextlib.nullcontext() if can_write else contextlib.suppress(OSError, ValueError):
            privacy = _record_privacy(directory, planned, account)
        if can_write:
            if privacy and not options.quiet:
                say(privacy["summary"])
            with announcements.waiting("writing the report", options):
                _write_report(program, directory.path, options.quiet)
        directory.close()


def _print_advice(config: Any, experiment: Experiment) -> None:
    arguments = ["preset", *(field.name for field in dataclasses.fields(config))]
    on_cpu = jax.default_backend() == "cpu"
    for sentence in advice(config, experiment.source, on_cpu, experiment.medium):
        errors.print_warning(sentence, arguments)


def _make_evaluator(
    program: ExperimentProgram, run: TrainingRun, config: Any, options: RunOptions, data_paths: Mapping[str, str]
) -> Evaluator | None:
    """Return the evaluator for ``evaluate_every``. This trains a classifier if the features require it.

    Evaluations compare the samples with completely decoded images, even if the setting ``jpeg_draft`` is set.
    """
    if options.evaluate_every is None:
        return None
    experiment = run.experiment
    metrics = options.metrics or quality.default_metrics(experiment)[:1]
    if getattr(config, "jpeg_draft", False):
        complete = dataclasses.replace(config, jpeg_draft=False)
        loaded = program.build_with_classes(locate_data(complete, data_paths), experiment.source.classes)
        experiment = make_run(complete, loaded, program.build).experiment
    quality.validate_metrics(experiment, metrics, options.evaluate_count)
    features = None
    if quality.needs_features(quality.choose_metrics(experiment, metrics)):
        cache = system.classifier_directory()
        features = experiment.make_features(options.features, weights=options.weights, cache=cache)
    evaluator = Evaluator(experiment, metrics, features, options.evaluate_count, config.seed)
    evaluator.rehearse(run.member_states(run.init(run.keys))[0])
    return evaluator


def _last_step(path: Path) -> int:
    step = 0
    for row in metrics_file.iterate_rows(path / "metrics.jsonl"):
        step = row["step"]
    return step


def _write_report(program: ExperimentProgram, path: Path, quiet: bool) -> None:
    """Write the report and print its path.

    If the report cannot be written, the error is printed and not raised, because it would hide an error of the run.
    """
    try:
        report_path = report.write(path)
    except (OSError, ValueError) as error:
        errors.print_warning(f"The report could not be written: {error}", ())
        return
    if not quiet:
        say(f"samples: {path / 'samples'}")
        say(f"report: {report_path}")
        if any((path / "checkpoints").glob("*")):
            say(f"more samples: {program.command('sample', path)}")
