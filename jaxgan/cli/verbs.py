"""What the verbs of an experiment do: train, sample, export and evaluate, of settings that ``program`` has read."""

import dataclasses
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from rich.console import Console
from rich.table import Table

from jaxgan import media, parallel
from jaxgan.cli import cache, control as controlling
from jaxgan.cli.errors import warnings_as_lines
from jaxgan.core import system
from jaxgan.core.files import writing_out
from jaxgan.core.keys import class_labels, keys_of
from jaxgan.core.state import State
from jaxgan.data import Batches
from jaxgan.editing.interpolation import interpolation_loop, lerp, slerp
from jaxgan.evaluation import extractors, figures
from jaxgan.experiment import parameter_file, private_run, quality
from jaxgan.experiment.experiment import Build, Experiment, parameter_counts
from jaxgan.experiment.translation import directions
from jaxgan.export import stablehlo as exporting
from jaxgan.monitoring import metrics_file, probe
from jaxgan.monitoring.run_directory import RunDirectory, find_resumable
from jaxgan.monitoring.terminal import reading
from jaxgan.reporting import model_card as cards, report
from jaxgan.training import loop
from jaxgan.training.checkpoints import Checkpoints, state_from_leaves
from jaxgan.training.evaluator import Evaluator
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import TrainingRun, make_run, use_cores
from jaxgan.training.sample_writer import signature
from jaxgan.training.steps import Steps, prepare


def train(name, config, build, options: RunOptions, dry_run: bool) -> None:
    """Train, or go on with a run; or only describe what it would be."""
    options.check()
    if options.coordinator:
        address = None if options.coordinator == "auto" else options.coordinator
        parallel.initialize(address, options.processes, options.process)
    use_cores(config)
    experiment = build(config)
    source, run = experiment.source, make_run(config, experiment, build)
    steps = Steps(run, config, run.devices(options.devices), options.parallel)
    spends = functools.partial(private_run.account, run.experiment, config)
    planned = spends(config.steps)
    if dry_run:
        _describe(experiment, config, run)
        if planned:
            print(planned["summary"])
        return
    path = Path(f"runs/{name}" if options.run_dir is None else options.run_dir)
    if jax.process_index() == 0:
        find_resumable(path, name, config, source, options.fresh)  # tracing StyleGAN2 takes half a minute
    _trace(steps, run)
    probe.check_held_out(run.experiment)
    evaluator = _evaluator(run, config, options)
    directory = None
    if jax.process_index() == 0:
        directory = RunDirectory(path, name, config, source, run.member_settings, options.fresh)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the run directory is there")
    try:
        if directory and planned:
            directory.add_to_record(privacy={"planned": planned})
        if not options.quiet and directory:
            print(f"{name}: {len(source):,} examples of {source.name}, {_times(source.shape)}; {system.hardware()}")
            if run.is_population:
                names, on = "; ".join(map(run.member_name, range(len(run.seeds)))), steps.devices
                print(f"a population of {len(run.seeds)} on {len(on)} x {on[0].platform}: {names}")
            if planned:
                print(planned["summary"])
        loop.train(run, config, options, path, name, evaluator, steps)
    finally:
        if directory:
            done = spends(_steps_done(path)) if planned else None
            if done:
                directory.add_to_record(privacy={"planned": planned, "done": done})
                if not options.quiet:
                    print(done["summary"])
            _tell_where(path, options.quiet)
            directory.close()


def _evaluator(run: TrainingRun, config: Any, options: RunOptions) -> Evaluator | None:
    """What ``--evaluate-every`` asks; a classifier is trained here, if none was kept."""
    if options.evaluate_every is None:
        return None
    experiment, metrics = run.experiment, options.metrics or ("fid",)
    source = experiment.source
    quality.check_metrics(metrics, options.evaluate_count)
    quality.validate_metrics(experiment, metrics, options.evaluate_count)
    looked_at = None
    if quality.needs_features(metrics):
        looked_at = extractors.make_extractor(options.features, options.weights, "tf1", source, cache.classifiers())
    evaluator = Evaluator(experiment, metrics, looked_at, options.evaluate_count, config.seed)
    evaluator.rehearse(run.member_states(run.init(run.keys))[0])
    return evaluator


def _steps_done(path: Path) -> int:
    rows = metrics_file.read_rows(path / "metrics.jsonl")
    return rows[-1]["step"] if rows else 0


def _trace(steps: Steps, run: TrainingRun) -> None:
    """Meet what is wrong with the settings or the wiring before anything is written."""
    try:
        steps.trace()
    except jax.errors.ConcretizationTypeError as error:
        names = [name for name in (run.member_settings or [{}])[0] if name != "seed"]
        if not names:
            raise
        raise ValueError(f"--sweep: this experiment's program depends on the value of {' or '.join(names)}") from error


def _tell_where(path: Path, quiet: bool) -> None:
    """Write the report; a disk that is full must not hide what ended the run."""
    try:
        written = report.write(path)
    except OSError as error:
        print(f"the report could not be written: {error}", file=sys.stderr)
        return
    if not quiet:
        print(f"samples: {path / 'samples'}\nreport: {written}")


def _describe(experiment: Experiment, config: Any, run: TrainingRun) -> None:
    """What a run would be: for ``--dry-run``."""
    game = run.game
    state = jax.eval_shape(game.init, run.keys)
    size = config.batch_size * game.batch_multiple
    batch = run.join_batches([Batches(experiment.source, size, seed)[0] for seed in run.seeds])
    step = jax.jit(lambda state, batch: game.step(state, prepare(None, batch)))
    compiled = step.lower(state, batch).compile()
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    table = Table("setting", "value", title="settings")
    for field in dataclasses.fields(config):
        table.add_row(field.name, str(getattr(config, field.name)))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"data        {len(experiment.source):,} examples of {experiment.source.name}")
    if run.is_population:
        console.print(f"population  {len(run.seeds)} members; what follows is of all together")
    for net, count in parameter_counts(state).items():
        console.print(f"network {net:<4}{count:,} parameters")
    states = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(jax.eval_shape(_raw_keys, state)))
    console.print(f"state       {states / 1e6:,.1f} MB: parameters, optimizers, statistics, averages")
    if memory:
        console.print(f"memory      {memory.temp_size_in_bytes / 1e6:,.1f} MB more during a step")
    console.print(f"step        {cost.get('flops', float('nan')) / 1e9:,.3f} GFLOP, as XLA counts them")
    console.print(f"hardware    {system.hardware()}")


def _raw_keys(state):
    return state.replace(key=jax.random.key_data(state.key))


def leaves(run_dir: Path, step: int | None, best: bool = False) -> dict[str, np.ndarray]:
    """Those of a checkpoint, by name: of a step, the newest, or the best."""
    if best and step is not None:
        raise ValueError(f"--best --step {step}: one of the two")
    if not (run_dir / "checkpoints").is_dir():
        raise ValueError(f"--run-dir {run_dir}: no checkpoints there; train first, or name the run's directory")
    checkpoints = Checkpoints(run_dir / "checkpoints", read_only=True)
    try:
        return checkpoints.read(checkpoints.best() if best else step)
    finally:
        checkpoints.close()


def restored(name, config, build: Build, run_dir: Path, step, member, best) -> tuple[Experiment, State, str]:
    """An experiment, the state of one of its members at a checkpoint, and which one of a population it is."""
    experiment = build(config)
    run = make_run(config, experiment, build)
    if member is not None and not 0 <= member < len(run.seeds):
        last = len(run.seeds) - 1
        raise ValueError(f"--member {member}: the run in {run_dir} has {f'members 0 to {last}' if last else 'one, 0'}")
    like = run.init(run.keys)
    state = state_from_leaves(like, leaves(run_dir, step, best), f"the checkpoint in {run_dir}")
    return run.experiment, run.member_states(state)[member or 0], run.member_name(member or 0)


def sample(
    restored: tuple[Experiment, State, str],
    by: str,
    count: int | None,
    seed: int,
    out: Path,
    label: int | None,
    control: controlling.Control,
) -> None:
    """Write samples, a grid of them, or a way from one to the next; or what ``control`` asks for."""
    kind = out.suffix.lower()
    if kind not in (".png", ".gif", ".webp", ".npz"):
        raise ValueError(f"--out {out}: its format is not known; use .png, .gif, .webp or .npz")
    experiment, state, whose = restored
    control.check(experiment, kind)
    classes, moving = experiment.sampling.classes, kind in (".gif", ".webp")
    count = control.count if count is None else count
    labels = jnp.asarray(class_labels(count, classes, label))
    z = experiment.draw(seed, np.arange(count))
    if moving and experiment.inputs is not None:
        raise ValueError(f"--out {out}: samples are made of images, not of latents to move between; use .png or .npz")
    passed = moving and control.direction is None  # an interpolation
    if passed and control.space == "z":
        mixed = jax.nn.one_hot(labels, max(1, len(classes)))
        z, labels = interpolation_loop(z, slerp), interpolation_loop(mixed, lerp)
    if control == controlling.PLAIN:
        samples = experiment.sampler()(state, z, labels)
        drawn = controlling.ControlledSamples(samples, len(samples) if moving else 1)
    else:
        drawn = controlling.draw(control, experiment, state, z, labels, seed, moving)
    if not np.isfinite(drawn.samples).all():
        raise ValueError(f"{whose or 'the run'} has diverged, its samples are not finite")
    with writing_out(out):
        if kind == ".npz":
            media.save_arrays(out, drawn.samples, np.asarray(labels) if classes else None)
        else:
            view = experiment.display.film if moving and experiment.display.film else experiment.display.view
            parts = np.split(view(drawn.samples), drawn.frames)
            by_class = label is None and 1 < len(classes) <= len(parts[0])
            columns = drawn.columns or (len(classes) if by_class else None)
            frames = [media.make_grid(part, columns) for part in parts]
            media.save_images(out, np.stack(frames), by, scale=max(1, 256 // frames[0].shape[-3]))
    of = f"{whose}, step" if whose else "step"
    asked = "" if label is None else f", class {classes[label]}"
    asked += f", {control.told}" if control.told else ""
    print(f"{out}: {count} {'latents' if passed else 'samples'} of {of} {int(state.step)}, seed {seed}{asked}")


def export(
    restored: tuple[Experiment, State, str], name: str, config: Any, about: str, evaluated: Path, out: Path
) -> None:
    """Write what samples and translations are made with, averaged: its parameters, or its functions, and a model card.

    Args:
      restored: as ``restored`` gives them.
      name, config: the experiment's name and settings.
      about: its module's docstring.
      evaluated: the figures of the run, if there are any: a JSON file.
      out: the file; ``.safetensors`` for parameters.
    """
    experiment, state, whose = restored
    variables, step, settings = experiment.variables(state), int(state.step), dataclasses.asdict(config)
    translates, as_parameters = bool(experiment.translations), out.suffix == ".safetensors"
    load = cards.of_parameters(name, out.name, translates) if as_parameters else cards.of_artefact(out.name, translates)
    card = cards.card(
        experiment,
        name=name,
        about=about,
        config=settings,
        step=step,
        variables=variables,
        load=load,
        whose=whose,
        evaluation=_evaluation(evaluated),
    )
    about_it = {
        "made_by": signature(name),
        "experiment": name,
        "step": step,
        "config": settings,
        "data": experiment.source.name,
    }
    with writing_out(out):
        if as_parameters:
            cards.check_beside(out)
            parameter_file.write(out, experiment, variables, about_it)
            beside = cards.write_beside(out, card)
            print(f"{out}: the parameters of step {step}, {out.stat().st_size / 1e6:.1f} MB; their card: {beside}")
            return
        if translates:
            exporting.write_translator(out, directions(experiment, state), about=about_it, card=card)
        else:
            nets = experiment.game.unwrapped.functions(state)
            exporting.write_generator(
                out,
                lambda seed, indices: experiment.sampling.latents(keys_of(seed, indices)),
                lambda z, *label: experiment.sampling.generate(nets, z, *label),
                classes=experiment.sampling.classes,
                about=about_it,
                card=card,
            )
    what = f"{' and '.join(experiment.translations)}, " if translates else "the generator "
    how = f"jaxgan translate {out} IMAGES --out FOLDER" if translates else f"jaxgan sample {out}"
    print(f"{out}: {what}of step {step}, {out.stat().st_size / 1e6:.1f} MB; {how}")


def _evaluation(path: Path) -> Any:
    """What ``evaluate`` wrote; {} if it is damaged, None if it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def evaluate(restored, name: str, metrics, look: Callable, count: int | None, seed: int, out: Path) -> None:
    """Write the figures, and print them."""
    experiment, state, whose = restored
    told = f"{name}{', ' + whose if whose else ''}"
    quality.validate_metrics(experiment, metrics, count)
    with warnings_as_lines(), reading() as progress:
        features = look(experiment.source, cache.classifiers()) if quality.needs_features(metrics) else None
        result = quality.evaluate(
            experiment, state, metrics, features, count=count, seed=seed, name=told, progress=progress
        )
    print("\n".join(figures.format_result(result)))  # first: what took long must not be lost with a file
    quality.write_result(result, out)
    print(f"protocol: {out}")


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
