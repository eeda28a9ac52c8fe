"""The command ``evaluate``: metrics of a checkpoint's samples."""

import dataclasses
from pathlib import Path
from typing import Literal

from jaxgan.cli.checkpoint_reference import MemberReference, check_seed
from jaxgan.cli.commands import read_command
from jaxgan.cli.errors import warnings_as_lines
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core import system
from jaxgan.evaluation import format_result, make_extractor
from jaxgan.experiment import quality
from jaxgan.monitoring.terminal import reading


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure how far a checkpoint's samples are from its data, with the averaged weights.

    Attributes:
      metrics: fid; kid, the kernel distance; mifid, which sees copies; prdc: precision, recall, density, coverage;
        authenticity, the share that are no copies; is, the Inception Score; modes, how many classes there are, and
        their KL from uniform; ms_ssim, how alike samples are; cas, the accuracy on the data of a classifier that has
        seen labelled samples alone; ppl, the perceptual path length; of pairs l1, psnr and ssim, of each sample and
        the image that it should be. The names of figures have the features that they were measured with: fid is
        measured with Inception's 2,048 features; with others it is fid_768 or fd_classifier, and likewise kid, mifid,
        is and ppl.
      features: classifier, of a small one that is trained on the data's labels and kept; or inception-64, -192, -768,
        -2048. Not given: inception-2048 where there are weights, else the classifier's.
      weights: Inception's, pytorch-fid's or torch-fidelity's file, a .pth or .npz.
      resize: To Inception's size as the FID has it, tf1, or as clean-fid.
      count: Number of samples; as many as there are data, at most 50,000, if not given.
      seed: Seed of the samples; the run's own if not given.
      out: A JSON file for the figures and their protocol; evaluation.json in the run's directory if not given.

    Examples:
      COMMAND
      COMMAND --metrics prdc modes --best
      COMMAND --metrics fid --weights pt_inception-2015-12-05-6726825d.pth
    """

    checkpoint: MemberReference = dataclasses.field(default_factory=MemberReference)
    metrics: tuple[str, ...] = ("fid", "kid", "prdc")
    features: str | None = None
    weights: str | None = None
    resize: Literal["tf1", "clean"] = "tf1"
    count: int | None = None
    seed: int | None = None
    out: str | None = None

    def execute(self, program: ExperimentProgram) -> None:
        quality.check_metrics(self.metrics, self.count)
        if self.seed is not None:
            check_seed(self.seed)
        experiment, state, member, config = self.checkpoint.restore(program)
        quality.validate_metrics(experiment, self.metrics, self.count)
        path = self.checkpoint.path(program)
        name = f"{program.name} in {path}"
        if member:
            name += f", {member}"
        with warnings_as_lines([field.name for field in read_command("evaluate").fields]), reading() as progress:
            features = None
            if quality.needs_features(self.metrics):
                kept = system.classifier_directory()
                features = make_extractor(
                    self.features, self.weights, self.resize, experiment.source, kept, progress=progress
                )
            result = quality.evaluate(
                experiment,
                state,
                self.metrics,
                features,
                count=self.count,
                seed=config.seed if self.seed is None else self.seed,
                name=name,
                progress=progress,
            )
        print("\n".join(format_result(result)))  # first: hours of computation must not be lost with a file
        out = Path(self.out) if self.out else path / "evaluation.json"
        quality.write_result(result, out)
        print(f"protocol: {out}")
