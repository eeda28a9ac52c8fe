"""An experiment's command line: ``train`` (the default), ``sample``, ``evaluate``, ``report`` and ``inspect``.

    if __name__ == "__main__":
        main("dcgan", Config, build, __doc__)

Of an experiment that has presets, ``train --preset NAME`` begins with one's settings instead of the class's defaults.

A user's mistake ends with one line and exit code 2, a run that diverged or could not be written with 1,
SIGINT with 130, SIGTERM with 143.
"""

import dataclasses
import errno
import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jax.experimental import multihost_utils
from rich.console import Console
from rich.table import Table

from jaxgan import axis, evaluation, export, parallel, sampling
from jaxgan.data import Batches
from jaxgan.game import State
from jaxgan.training import cache, evaluate as evaluating, logging, loop, private, probe, report
from jaxgan.training.checkpoint import Checkpoints, checksums, structured
from jaxgan.training.directory import RunDirectory, read_config, to_out
from jaxgan.training.experiment import Experiment, parameter_counts
from jaxgan.training.members import Build, One, cast, use_cores
from jaxgan.training.translate import Translator
from jaxgan.training.translate_files import translate_files

VERBS = ("train", "sample", "translate", "evaluate", "export", "report", "inspect")
FRAMES_A_LATENT = 24  # of an interpolation

# Settings by name; or a function of the settings that flags ask for, where some follow from others.
Preset = Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]


def main(
    name: str,
    config_class: type,
    build: Build,
    description: str | None,
    arguments: Sequence[str] | None = None,
    presets: Mapping[str, Preset] | None = None,
) -> None:
    """Run the verb that the command line names; exit with its code if it failed.

    Args:
      name: the experiment's, ``dcgan``; its runs go to ``runs/<name>``.
      config_class: a frozen dataclass with defaults, among its fields ``steps``, ``batch_size``, ``seed``.
      build: ``(config, source=None)``: makes the experiment, of the source if one is given.
      description: for ``--help``: the module's docstring.
      arguments: instead of the command line's.
      presets: settings for ``train --preset NAME`` to begin with; flags count over them.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] not in (*VERBS, "-h", "--help"):
        arguments.insert(0, "train")
    cache.enable()
    try:
        default = with_preset(config_class, presets or {}, arguments[1:] if arguments[0] == "train" else [])
        tyro.extras.subcommand_cli_from_dict(
            _verbs(name, config_class, build, default, tuple(presets or ())),
            prog=f"python -m experiments.{name}",
            description=f"{(description or name).strip()}\n\nWithout a verb it trains; its flags: train --help",
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except loop.Interrupted as stop:
        sys.exit(128 + stop.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, OverflowError, MemoryError, logging.Diverged, jax.errors.JaxRuntimeError) as error:
        if os.environ.get("JAXGAN_TRACEBACK"):
            raise
        mend = _mend(error) if arguments[0] == "train" else ""
        print(f"error: {error}{mend}\n(JAXGAN_TRACEBACK=1 shows where)", file=sys.stderr)
        code = 2 if isinstance(error, ValueError) else 1
        if jax.distributed.is_initialized():
            # An orderly end would wait for the other hosts, who wait for this one.
            sys.stdout.flush()
            os._exit(code)
        sys.exit(code)


def _mend(error: BaseException) -> str:
    """What to do about a lack of room or memory while training."""
    if _is_full(error):
        return "; make room and run the same command again, it resumes"
    of_memory = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    if of_memory or isinstance(error, MemoryError):
        return "; there is not memory enough: lower --batch-size, or split it over micro-batches with --accumulate"
    return ""


def _is_full(error: BaseException | None) -> bool:
    """Whether a disk, or a quota, without room is what caused an error."""
    causes = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if error is None:
        return False
    # TensorStore passes on the system's words, and no number.
    said = any(os.strerror(cause) in str(error) for cause in causes)
    return said or getattr(error, "errno", None) in causes or _is_full(error.__cause__)


def with_preset(config_class: type, presets: Mapping[str, Preset], flags: Sequence[str]) -> Any:
    """The settings that flags begin with: the class's defaults, or over them those of the preset that flags name.

    Raises:
      ValueError: there is no such preset.
    """
    if not presets or not any(flag.split("=")[0] == "--preset" for flag in flags):
        return config_class()

    def read(experiment, preset: str):
        return experiment, preset

    read.__annotations__["experiment"] = tyro.conf.OmitArgPrefixes[config_class]
    read.__defaults__ = (config_class(), "")
    known = [flag for flag in flags if flag not in ("-h", "--help")]
    (given, preset), _ = tyro.cli(read, args=known, return_unknown_args=True, config=(tyro.conf.FlagCreatePairsOff,))
    if preset not in presets:
        raise ValueError(f"--preset {preset}: there are {', '.join(presets)}")
    settings = presets[preset]
    return dataclasses.replace(config_class(), **(settings(given) if callable(settings) else settings))


def _verbs(name, config_class, build, default, presets) -> dict[str, Callable]:
    """The functions whose signatures tyro reads; flags change ``default``."""

    def train(experiment, run, dry_run: bool = False, preset=None):
        """Train, or go on with the run that is there.

        Args:
          dry_run: print settings, parameter counts, memory and FLOPs of a step, and train nothing.
          preset: settings to begin with, in the place of the defaults; flags count over them.
        """
        _train(name, experiment, build, run, dry_run)

    # What the signature cannot say: the flags of this experiment's own settings, without a prefix.
    train.__annotations__["experiment"] = tyro.conf.OmitArgPrefixes[config_class]
    train.__annotations__["run"] = tyro.conf.OmitArgPrefixes[loop.Options]
    choices = (*presets, None)  # of no account here: ``default`` has the settings of the one asked for
    train.__annotations__["preset"] = Literal[choices] if presets else tyro.conf.Suppress[tyro.conf.Fixed[None]]
    train.__defaults__ = (default, loop.Options(), False, None)

    def sample(
        out: str,
        run_dir: str = f"runs/{name}",
        count: int = 64,
        seed: int = 0,
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
        label: int | None = None,
    ):
        """Draw samples from a checkpoint, with the averaged weights.

        Args:
          out: a grid (.png), an interpolation (.gif, .webp) between latents, of a conditional model from class to class
            unless --label fixes it, or raw samples (.npz: images, float32 in [-1, 1], [N, height, width, C], and
            labels if there are any).
          run_dir: the run.
          count: how many; of an interpolation, how many latents it passes.
          seed: which; sample i of a seed is the same for any count.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
          label: of a conditional model, the class; all in turn if not given.
        """
        config = read_config(Path(run_dir), name, config_class)
        restored = _restored(name, config, build, Path(run_dir), step, member, best)
        _sample(restored, loop.signature(name), count, seed, Path(out), label)

    def evaluate(
        run_dir: str = f"runs/{name}",
        metrics: tuple[str, ...] = ("fid", "kid", "prdc"),
        features: str | None = None,
        weights: str | None = None,
        resize: Literal["tf1", "clean"] = "tf1",
        count: int | None = None,
        seed: int | None = None,
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
        out: str | None = None,
    ):
        """Measure how far a checkpoint's samples are from its data, with the averaged weights.

        Args:
          run_dir: the run.
          metrics: fid; kid, the kernel distance; mifid, which sees copies; prdc: precision, recall, density, coverage;
            authenticity, the share that are no copies; is, the Inception Score; modes, how many classes there are, and
            their KL from uniform; ms_ssim, how alike samples are; cas, the accuracy on the data of a classifier that
            has seen labelled samples alone; ppl, the perceptual path length; of pairs l1, psnr and ssim, of each
            sample and what it should be.
          features: classifier, of a small one that is trained on the data's labels and kept; or inception-64, -192,
            -768, -2048. Not given: inception-2048 where there are weights, else the classifier's.
          weights: Inception's, pytorch-fid's or torch-fidelity's file, a .pth or .npz.
          resize: to Inception's size as the FID has it, tf1, or as clean-fid.
          count: of samples; as many as there are data, at most 50,000, if not given.
          seed: which samples; those of the run's own seed if not given.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
          out: a JSON file for the figures and their protocol; evaluation.json beside the run's if not given.
        """
        config = read_config(Path(run_dir), name, config_class)
        evaluating.check(metrics, count)
        restored = _restored(name, config, build, Path(run_dir), step, member, best)
        look = functools.partial(evaluation.extractor, features, weights, resize)
        path, own = Path(out) if out else Path(run_dir, "evaluation.json"), config.seed if seed is None else seed
        _evaluate(restored, f"{name} in {run_dir}", metrics, look, count, own, path)

    def translate(
        images: str,
        out: str,
        run_dir: str = f"runs/{name}",
        direction: str | None = None,
        masks: str | None = None,
        memory: float = 4.0,
        tile: int | None = None,
        seed: int = 0,
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
    ):
        """Make images of images, of any size, with a checkpoint that does: a translator's.

        Args:
          images: a file, or a folder or zip; an animation is translated frame by frame. Of a video give the frames.
          out: a folder, in which they have the same names; of one image also a file.
          run_dir: the run.
          direction: which way, by its name; the experiment's first if not given.
          masks: of what is missing, white; files of the same names. Not given: what is transparent.
          memory: gigabytes that the networks may take; an image that needs more is made in overlapping tiles.
          tile: their side, for all images that are larger; not given, the largest that memory allows.
          seed: of what is drawn for each image.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint.
          member: of a population, whose; the first if not given.
        """
        config = read_config(Path(run_dir), name, config_class)
        experiment, state, _ = _restored(name, config, build, Path(run_dir), step, member, best)
        translator = Translator(experiment, state, direction, memory=memory * 1e9, tile=tile, seed=seed)
        translate_files(translator, Path(images), Path(out), loop.signature(name), masks=Path(masks) if masks else None)

    def write_export(
        out: str,
        run_dir: str = f"runs/{name}",
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
    ):
        """Write a checkpoint's generator to a file that needs no jaxgan, for CPUs, CUDA and TPUs.

        Args:
          out: the file, which `jaxgan sample` reads: name.jaxgan.
          run_dir: the run.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
        """
        config = read_config(Path(run_dir), name, config_class)
        experiment, state, _ = _restored(name, config, build, Path(run_dir), step, member, best)
        _export(experiment, state, name, config, Path(out))

    def write_report(run_dir: str = f"runs/{name}"):
        """Write report.html, also while the run goes on.

        Args:
          run_dir: the run.
        """
        read_config(Path(run_dir), name, config_class)
        print(f"report: {report.write(Path(run_dir))}")

    def inspect(run_dir: str = f"runs/{name}", step: int | None = None):
        """Print the step of a checkpoint, and the SHA-256 of each leaf of its state.

        Args:
          run_dir: the run.
          step: of which checkpoint; the newest if not given.
        """
        leaves = _leaves(Path(run_dir), step)
        print(f"step {int(leaves['step'])}")
        for leaf, digest in sorted(checksums(leaves).items()):
            print(f"{digest}  {leaf}")

    verbs = (train, sample, translate, evaluate, write_export, write_report, inspect)
    return dict(zip(VERBS, verbs))


def _train(name, config, build, options: loop.Options, dry_run: bool) -> None:
    if options.coordinator:
        address = None if options.coordinator == "auto" else options.coordinator
        parallel.initialize(address, options.processes, options.process)
    use_cores(config)
    experiment = build(config)
    source, members = experiment.source, cast(config, experiment, build)
    on = members.devices(options.devices)
    share = members.share(config.batch_size, on)
    spends = functools.partial(private.account, members.experiment, config)
    planned = spends(config.steps)
    if dry_run:
        _describe(experiment, config, members)
        if planned:
            print(planned["told"])
        return
    _trace(experiment, members, share, len(on))
    probe.check(members.experiment)
    evaluator = _evaluator(members.experiment, config, options)
    path = Path(f"runs/{name}" if options.run_dir is None else options.run_dir)
    directory = None
    if jax.process_index() == 0:
        directory = RunDirectory(path, name, config, source, members.told, options.fresh)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("the run directory is there")
    try:
        if directory and planned:
            directory.note(privacy={"planned": planned})
        if not options.quiet and directory:
            print(f"{name}: {len(source):,} examples of {source.name}, {_times(source.shape)}; {logging.hardware()}")
            if members.shape:
                names = "; ".join(map(members.name, range(len(members.seeds))))
                print(f"a population of {len(members.seeds)} on {len(on)} x {on[0].platform}: {names}")
            if planned:
                print(planned["told"])
        loop.train(members, config, options, path, name, evaluator)
    finally:
        if directory:
            done = spends(_steps_done(path)) if planned else None
            if done:
                directory.note(privacy={"planned": planned, "done": done})
                if not options.quiet:
                    print(done["told"])
            _tell_where(path, options.quiet)
            directory.close()


def _evaluator(experiment: Experiment, config: Any, options: loop.Options) -> evaluating.Evaluator | None:
    """What ``--evaluate-every`` asks; a classifier is trained here, if none was kept."""
    if options.evaluate_every is None:
        return None
    metrics, source = options.metrics or ("fid",), experiment.source
    evaluating.check(metrics, options.evaluate_count)
    evaluating.suits(experiment, metrics, options.evaluate_count)
    looked_at = None
    if evaluating.looks_at_features(metrics):
        looked_at = evaluation.extractor(options.features, options.weights, "tf1", source, cache.classifiers())
    evaluator = evaluating.Evaluator(experiment, metrics, looked_at, options.evaluate_count, config.seed)
    evaluator.rehearse(jax.jit(experiment.game.init)(jax.random.key(config.seed)))
    return evaluator


def _steps_done(path: Path) -> int:
    rows = logging.read_metrics(path / "metrics.jsonl")
    return rows[-1]["step"] if rows else 0


def _trace(experiment: Experiment, members: One, share: int, devices: int) -> None:
    """Meet what is wrong with the settings or the wiring before anything is written."""
    example = loop.prepare(None, experiment.source.read(np.zeros(1, np.int32)))
    step, shape = members.game.step, (share, *members.shape)
    if not members.shape:  # devices that share a batch know how many they are
        step, shape = jax.vmap(step, (None, 0), axis_name=axis.NAME), (devices, share)
    batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((*shape, *x.shape[1:]), x.dtype), example)
    try:
        jax.eval_shape(step, jax.eval_shape(members.game.init, members.keys), batch)
    except jax.errors.ConcretizationTypeError as error:
        names = [name for name in (members.told or [{}])[0] if name != "seed"]
        if not names:
            raise
        raise ValueError(f"--vary: this experiment's program depends on the value of {' or '.join(names)}") from error


def _tell_where(path: Path, quiet: bool) -> None:
    """Write the report; a disk that is full must not hide what ended the run."""
    try:
        written = report.write(path)
    except OSError as error:
        print(f"the report could not be written: {error}", file=sys.stderr)
        return
    if not quiet:
        print(f"samples: {path / 'samples'}\nreport: {written}")


def _describe(experiment: Experiment, config: Any, members: One) -> None:
    """What a run would be: for ``--dry-run``."""
    game = members.game
    state = jax.eval_shape(game.init, members.keys)
    size = config.batch_size * game.batch_multiple
    batch = members.batch([Batches(experiment.source, size, seed)[0] for seed in members.seeds])
    step = jax.jit(lambda state, batch: game.step(state, loop.prepare(None, batch)))
    compiled = step.lower(state, batch).compile()
    cost, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    table = Table("setting", "value", title="settings")
    for field in dataclasses.fields(config):
        table.add_row(field.name, str(getattr(config, field.name)))
    console = Console(highlight=False)
    console.print(table)
    console.print(f"data        {len(experiment.source):,} examples of {experiment.source.name}")
    if members.shape:
        console.print(f"population  {len(members.seeds)} members; what follows is of all together")
    for net, count in parameter_counts(state).items():
        console.print(f"network {net:<4}{count:,} parameters")
    states = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(jax.eval_shape(_raw_keys, state)))
    console.print(f"state       {states / 1e6:,.1f} MB: parameters, optimizers, statistics, averages")
    if memory:
        console.print(f"memory      {memory.temp_size_in_bytes / 1e6:,.1f} MB more during a step")
    console.print(f"step        {cost.get('flops', float('nan')) / 1e9:,.3f} GFLOP, as XLA counts them")
    console.print(f"hardware    {logging.hardware()}")


def _raw_keys(state):
    return state.replace(key=jax.random.key_data(state.key))


def _leaves(run_dir: Path, step: int | None, best: bool = False) -> dict[str, np.ndarray]:
    if best and step is not None:
        raise ValueError(f"--best --step {step}: one of the two")
    if not (run_dir / "checkpoints").is_dir():
        raise ValueError(f"--run-dir {run_dir}: no checkpoints there; train first, or name the run's directory")
    checkpoints = Checkpoints(run_dir / "checkpoints", read_only=True)
    try:
        return checkpoints.read(checkpoints.best() if best else step)
    finally:
        checkpoints.close()


def _restored(name, config, build: Build, run_dir: Path, step, member, best) -> tuple[Experiment, State, str]:
    """An experiment, the state of one of its members at a checkpoint, and which one of a population it is."""
    experiment = build(config)
    members = cast(config, experiment, build)
    if member is not None and not 0 <= member < len(members.seeds):
        last = len(members.seeds) - 1
        raise ValueError(f"--member {member}: the run in {run_dir} has {f'members 0 to {last}' if last else 'one, 0'}")
    like = jax.jit(members.game.init)(members.keys)
    state = structured(like, _leaves(run_dir, step, best), f"the checkpoint in {run_dir}")
    return members.experiment, members.states(state)[member or 0], members.name(member or 0)


def _sample(restored: tuple[Experiment, State, str], by: str, count, seed, out: Path, label: int | None) -> None:
    if count < 1:
        raise ValueError(f"--count {count}: at least 1")
    kind = out.suffix.lower()
    if kind not in (".png", ".gif", ".webp", ".npz"):
        raise ValueError(f"--out {out}: its format is not known; use .png, .gif, .webp or .npz")
    experiment, state, whose = restored
    classes = experiment.classes
    if label is not None and not 0 <= label < len(classes):
        known = f"want 0 to {len(classes) - 1}, for {', '.join(classes)}" if classes else "this model has no classes"
        raise ValueError(f"--label {label}: {known}")
    z = experiment.draw(seed, np.arange(count))
    labels = jnp.arange(count) % len(classes) if classes and label is None else jnp.full(count, label or 0)
    moving = kind in (".gif", ".webp")
    if moving and experiment.inputs is not None:
        raise ValueError(f"--out {out}: samples are made of images, not of latents to move between; use .png or .npz")
    if moving:
        mixed = jax.nn.one_hot(labels, max(1, len(classes)))
        z, labels = _path_through(z, sampling.slerp), _path_through(mixed, lambda a, b, t: (1 - t) * a + t * b)
    samples = experiment.sampler()(state, z, labels)
    if not np.isfinite(samples).all():
        raise ValueError(f"{whose or 'the run'} has diverged, its samples are not finite")
    with to_out(out):
        if kind == ".npz":
            with out.open("wb") as file:
                arrays: dict[str, Any] = {"images": samples.astype(np.float32)}
                if classes:
                    arrays["labels"] = np.asarray(labels)
                np.savez(file, **arrays)
        else:
            view = experiment.film if moving and experiment.film else experiment.view
            images = view(samples)
            columns = len(classes) if label is None and 1 < len(classes) <= count else None
            frames = sampling.to_bytes(images) if moving else sampling.grid(images, columns)
            sampling.save(out, frames, by, scale=max(1, 256 // frames.shape[-3]))
    of = f"{whose}, step" if whose else "step"
    asked = "" if label is None else f", class {classes[label]}"
    print(f"{out}: {count} {'latents' if moving else 'samples'} of {of} {int(state.step)}, seed {seed}{asked}")


def _export(experiment: Experiment, state: State, name: str, config: Any, out: Path) -> None:
    if experiment.inputs is not None:
        raise ValueError(
            "export: a generator of latents is exported, and this one makes images of images; use translate"
        )
    nets = experiment.game.functions(state)
    about = {
        "made_by": loop.signature(name),
        "experiment": name,
        "step": int(state.step),
        "config": dataclasses.asdict(config),
        "data": experiment.source.name,
    }
    with to_out(out):
        export.write(
            out,
            lambda seed, indices: experiment.latents(sampling.keys_of(seed, indices)),
            lambda z, *label: experiment.generate(nets, z, *label),
            classes=experiment.classes,
            about=about,
        )
    print(f"{out}: the generator of step {int(state.step)}, {out.stat().st_size / 1e6:.1f} MB; jaxgan sample {out}")


def _evaluate(restored, name: str, metrics, look: Callable, count: int | None, seed: int, out: Path) -> None:
    experiment, state, whose = restored
    told = f"{name}{', ' + whose if whose else ''}"
    evaluating.suits(experiment, metrics, count)
    with evaluation.told_warnings():
        features = look(experiment.source, cache.classifiers()) if evaluating.looks_at_features(metrics) else None
        result = evaluating.evaluate(experiment, state, metrics, features, count=count, seed=seed, name=told)
    print("\n".join(evaluation.table(result)))  # first: what took long must not be lost with a file
    evaluating.write(result, out)
    print(f"protocol: {out}")


def _path_through(points: jax.Array, between: Callable) -> jax.Array:
    """A closed path through all of ``points``."""
    t = jnp.arange(FRAMES_A_LATENT)[:, None] / FRAMES_A_LATENT
    return jnp.concatenate([between(a[None], b[None], t) for a, b in zip(points, jnp.roll(points, -1, axis=0))])


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
