"""An experiment's command line: its flags and errors; what its verbs do is in ``verbs``. Without one it trains.

    if __name__ == "__main__":
        main("dcgan", Config, build, __doc__)

Of an experiment that has presets, ``train --preset NAME`` begins with one's settings instead of the class's defaults.

A user's mistake ends with one line and exit code 2, a run that diverged or could not be written with 1,
SIGINT with 130, SIGTERM with 143.
"""

import dataclasses
import errno
import functools
import inspect
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import tyro

from jaxgan.cli import cache, verbs
from jaxgan.cli.control import PLAIN, Control
from jaxgan.cli.errors import as_flags
from jaxgan.cli.project import project_files, sample_projected
from jaxgan.core import system
from jaxgan.editing.inversion import Space
from jaxgan.editing.translate_files import translate_files
from jaxgan.editing.translator import Translator, choose_direction
from jaxgan.evaluation import extractors
from jaxgan.experiment import parameter_file as files, quality
from jaxgan.experiment.experiment import Build
from jaxgan.experiment.translation import directions
from jaxgan.monitoring.run_directory import PROJECTIONS, read_config
from jaxgan.reporting import report
from jaxgan.training.checkpoints import checksums
from jaxgan.training.divergence import Diverged
from jaxgan.training.options import RunOptions
from jaxgan.training.sample_writer import signature
from jaxgan.training.signals import Interrupted

VERBS = ("train", "sample", "translate", "project", "evaluate", "export", "report", "inspect")

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
    system.keep_freed_memory()
    try:
        default = with_preset(config_class, presets or {}, arguments[1:] if arguments[0] == "train" else [])
        tyro.extras.subcommand_cli_from_dict(
            _verbs(name, config_class, build, default, tuple(presets or ()), description or ""),
            prog=f"python -m experiments.{name}",
            # Tyro joins a line that begins with a letter to the one before it.
            description=textwrap.indent(
                f"{(description or name).strip()}\n\nWithout a verb it trains; its flags: train --help", " "
            ),
            args=arguments,
            config=(tyro.conf.FlagCreatePairsOff,),
        )
    except Interrupted as stop:
        sys.exit(128 + stop.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (
        ValueError,
        OSError,
        OverflowError,
        MemoryError,
        Diverged,
        jax.errors.JaxRuntimeError,
    ) as error:
        if os.environ.get("JAXGAN_TRACEBACK"):
            raise
        mend = _mend(error) if arguments[0] == "train" else ""
        print(
            f"error: {as_flags(str(error), _flags(config_class))}{mend}\n(JAXGAN_TRACEBACK=1 shows where)",
            file=sys.stderr,
        )
        code = 2 if isinstance(error, ValueError) else 1
        if jax.distributed.is_initialized():
            # An orderly end would wait for the other hosts, who wait for this one.
            sys.stdout.flush()
            os._exit(code)
        sys.exit(code)


def _flags(config_class: type) -> set[str]:
    """The arguments that some verb has a flag for."""
    classes = (config_class, RunOptions, Control)
    fields = {field.name for own in classes for field in dataclasses.fields(own)}
    verbs = _verbs("", config_class, lambda config: None, None, (), "").values()
    return fields | {name for verb in verbs for name in inspect.signature(verb).parameters}


def _mend(error: BaseException) -> str:
    """What to do about a lack of room or memory while training."""
    if _is_full(error):
        return "; make room and run the same command again, it resumes"
    of_memory = isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    if of_memory or isinstance(error, MemoryError):
        return (
            "; there is not memory enough: lower --batch-size, or split it over micro-batches with --grad-accum-steps"
        )
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


def _verbs(name, config_class, build, default, presets, description) -> dict[str, Callable]:
    """The functions whose signatures tyro reads, of what ``verbs`` does; flags change ``default``."""

    def restored(
        run_dir: str, step: int | None, best: bool, member: int | None, parameters=None, own_data=True
    ) -> tuple[Any, Any]:
        """As ``verbs.restored``, of a run or of a file of parameters; and its settings, None of a file."""
        if parameters is None:
            config = read_config(Path(run_dir), name, config_class)
            return verbs.restored(name, config, build, Path(run_dir), step, member, best), config
        if step is not None or best or member is not None:
            raise ValueError(f"--parameters {parameters}: it holds one step; leave out --step, --best and --member")
        return files.load(Path(parameters), name, config_class, build, own_data), None

    def train(experiment, run, dry_run: bool = False, preset=None):
        """Train, or go on with the run that is there.

        Args:
          dry_run: print settings, parameter counts, memory and FLOPs of a step, and train nothing.
          preset: settings to begin with, in the place of the defaults; flags count over them.
        """
        verbs.train(name, experiment, build, run, dry_run)

    # What the signature cannot say: the flags of this experiment's own settings, without a prefix.
    train.__annotations__["experiment"] = tyro.conf.OmitArgPrefixes[config_class]
    train.__annotations__["run"] = tyro.conf.OmitArgPrefixes[RunOptions]
    choices = (*presets, None)  # of no account here: ``default`` has the settings of the one asked for
    train.__annotations__["preset"] = Literal[choices] if presets else tyro.conf.Suppress[tyro.conf.Fixed[None]]
    train.__defaults__ = (default, RunOptions(), False, None)

    def sample(
        out: str,
        run_dir: str = f"runs/{name}",
        parameters: str | None = None,
        count: int | None = None,
        seed: int = 0,
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
        label: int | None = None,
        styles: tuple[str, ...] = (),
        control: tyro.conf.OmitArgPrefixes[Control] = PLAIN,
    ):
        """Draw samples from a checkpoint, with the averaged weights.

        Args:
          out: a grid (.png), an interpolation (.gif, .webp) between latents, of a conditional model from class to class
            unless --label fixes it, or raw samples (.npz: images, float32 in [-1, 1], [N, height, width, C], and
            labels if there are any).
          run_dir: the run.
          parameters: what export wrote, name.safetensors, in the place of a run.
          count: how many, 64 if not given; of an interpolation, how many latents it passes; of --mix, sources and
            destinations together, 12; of --direction, 8.
          seed: which; sample i of a seed is the same for any count.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
          label: of a conditional model, the class; all in turn if not given.
          styles: files that project has written, whose images are made again (.png, .npz); nothing is drawn.
        """
        drawn, _ = restored(run_dir, step, best, member, parameters)
        if styles and not (count is label is None and control == PLAIN):
            raise ValueError("--styles: images are made as they were found; give no count, label or control besides")
        if styles:
            return sample_projected(drawn, list(map(Path, styles)), Path(out), signature(name))
        verbs.sample(drawn, signature(name), count, seed, Path(out), label, control)

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
            sample and what it should be. Figures say which features they were measured with: fid is of Inception's
            2,048 alone, with others it is fid_768 or fd_classifier, and likewise kid, mifid, is and ppl.
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
        quality.check_metrics(metrics, count)
        drawn, config = restored(run_dir, step, best, member)
        look = functools.partial(extractors.make_extractor, features, weights, resize)
        path, own = Path(out) if out else Path(run_dir, "evaluation.json"), config.seed if seed is None else seed
        verbs.evaluate(drawn, f"{name} in {run_dir}", metrics, look, count, own, path)

    def translate(
        images: str,
        out: str,
        run_dir: str = f"runs/{name}",
        parameters: str | None = None,
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
          parameters: what export wrote, name.safetensors, in the place of a run.
          direction: which way, by its name; the experiment's first if not given.
          masks: of what is missing, white; files of the same names. Not given: what is transparent.
          memory: gigabytes that the networks may take; an image that needs more is made in overlapping tiles.
          tile: their side, for all images that are larger; not given, the largest that memory allows.
          seed: of what is drawn for each image.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint.
          member: of a population, whose; the first if not given.
        """
        (experiment, state, _), _ = restored(run_dir, step, best, member, parameters, own_data=False)
        way = choose_direction(directions(experiment, state), direction)
        translator = Translator(way, memory=memory * 1e9, tile=tile, seed=seed)
        translate_files(
            translator,
            Path(images),
            Path(out),
            signature(name),
            masks=Path(masks) if masks else None,
            log=print,
        )

    def project(
        images: str,
        out: str | None = None,
        run_dir: str = f"runs/{name}",
        space: tuple[Space, ...] = ("w",),
        steps: int = 1000,
        seed: int = 0,
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
    ):
        """Find the styles whose images are nearest to given ones, with a checkpoint whose generator has styles.

        Args:
          images: a file, or a folder or zip; of each the centred square, resized to the model's size.
          out: a folder, in which of NAME.jpg are NAME.w.npz, its styles, noise maps and figures, which sample --styles
            takes, and NAME.png, the image and its projection. Not given: the run's own, projections, which the report
            shows.
          run_dir: the run.
          space: w, one style for all layers; w+, one for each layer, which is nearer and less of the model's; or both.
          steps: of Adam.
          seed: of the noise that is added to styles on the way.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
        """
        projector, _ = restored(run_dir, step, best, member)
        folder = Path(out) if out else Path(run_dir, PROJECTIONS)
        by = signature(name)
        project_files(projector, Path(images), folder, by, spaces=space, steps=steps, seed=seed)

    def write_export(
        out: str,
        run_dir: str = f"runs/{name}",
        step: int | None = None,
        best: bool = False,
        member: int | None = None,
    ):
        """Write what makes a checkpoint's samples to a file for others, with a model card.

        Args:
          out: name.jaxgan for compiled functions, which need no jaxgan and run on CPUs, CUDA and TPUs; `jaxgan sample`
            reads them, or `jaxgan translate` where images are made of images. name.safetensors for the averaged
            parameters, which `sample --parameters` reads; the card is beside them, name.md.
          run_dir: the run.
          step: of which checkpoint; the newest if not given.
          best: of the best checkpoint; of a population, of the one with the best member.
          member: of a population, whose; the first if not given.
        """
        drawn, config = restored(run_dir, step, best, member)
        verbs.export(drawn, name, config, description, Path(run_dir, "evaluation.json"), Path(out))

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
        leaves = verbs.leaves(Path(run_dir), step)
        print(f"step {int(leaves['step'])}")
        for leaf, digest in sorted(checksums(leaves).items()):
            print(f"{digest}  {leaf}")

    return dict(zip(VERBS, (train, sample, translate, project, evaluate, write_export, write_report, inspect)))
