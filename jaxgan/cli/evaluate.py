"""The command ``evaluate``: measure metrics of the samples of a checkpoint."""

import dataclasses
import warnings
from pathlib import Path
from typing import Literal

from jaxgan.cli.checkpoint_reference import MemberReference, check_seed
from jaxgan.cli.commands import read_command
from jaxgan.cli.errors import warnings_as_lines
from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core import system
from jaxgan.core.text import say
from jaxgan.evaluation import format_result
from jaxgan.evaluation.scores import IMAGE_METRICS
from jaxgan.experiment import quality
from jaxgan.monitoring.terminal import reading
from jaxgan.reporting import report


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Compare the samples of a checkpoint with the data of the run, using metrics such as the FID.

    The samples are generated with the moving average of the weights. They are compared with the training examples, as
    in most publications. In experiments that translate images, they are translated from and compared with the test
    data, see ``train --test-data``. The result says which examples were used.

    Attributes:
      checkpoint: Checkpoint that generates the samples.
      metrics: Metrics to measure. By default, fid, kid and prdc for images, points and voxels, and other metrics for
        other examples. The metrics of images are fid (Frechet Inception distance), kid (kernel Inception distance),
        mifid (FID with a penalty for copies of training examples), prdc (precision, recall, density and coverage),
        authenticity (fraction of the samples that are not copies of training examples), is (Inception Score), modes
        (number of classes among the samples, and KL divergence of the distribution of the classes from the uniform
        distribution), ms_ssim (mean structural similarity of pairs of samples), cas (accuracy, on the real data, of a
        classifier that is trained on the samples), or ppl (perceptual path length). Points and voxels have the metrics
        fid, kid, prdc and authenticity. In experiments that translate images, l1, psnr and ssim compare
        each sample with its target image. If the features differ from the features in the publication of the metric,
        the name of the result has a suffix that identifies the features, such as fid_768 and ppl_2048. With the
        features of the small classifier, fid is named fd_classifier (fd: Frechet distance).
      features: Features that the metrics compare: inception-64, inception-192, inception-768 or inception-2048
        (features of the Inception network, which require its weights), classifier (features of a small classifier,
        which is trained on the labels of the data and cached), or random (features of a fixed random network, which
        requires neither weights nor labels and ranks samples less well). By default, inception-2048 if --weights is
        passed, otherwise classifier if the data have labels, otherwise random. Points and voxels have only the features
        points or voxels.
      weights: File with the weights of the Inception network (.pth or .npz), from pytorch-fid or torch-fidelity. By
        default, the file that `jaxgan weights inception` has downloaded, if --features names an Inception layer.
      resize: Method that resizes images for the Inception network: tf1 (as in the original FID) or clean (as in
        clean-fid).
      count: Number of samples, at most 1,000,000. By default, the number of training examples, but at most 50,000.
      seed: Seed of the samples. By default, the seed of the run.
      out: JSON file to which the results and the settings of the measurement are written. By default, evaluation.json
        in the directory of the run.

    Examples:
      COMMAND
      COMMAND --metrics prdc modes --best
      COMMAND --metrics fid --weights pt_inception-2015-12-05-6726825d.pth
    """

    checkpoint: MemberReference = dataclasses.field(default_factory=MemberReference)
    metrics: tuple[str, ...] | None = None
    features: str | None = None
    weights: str | None = None
    resize: Literal["tf1", "clean"] = "tf1"
    count: int | None = None
    seed: int | None = None
    out: str | None = None

    def execute(self, program: ExperimentProgram) -> None:
        quality.check_count(self.count)
        if self.seed is not None:
            check_seed(self.seed)
        needs = "data" if self._reads_data() else "inputs"
        experiment, state, member, config = self.checkpoint.restore(program, needs, complete_images=True)
        metrics = self.metrics if self.metrics is not None else quality.default_metrics(experiment)
        quality.validate_metrics(experiment, metrics, self.count)
        path = self.checkpoint.path(program)
        name = f"{program.name} in {path}"
        if member:
            name += f", {member}"
        with warnings_as_lines([field.name for field in read_command("evaluate").fields]), reading() as progress:
            if experiment.inputs is not None and quality.compared_examples(experiment)["trained_on"]:
                has_none = experiment.compared_split == "train"
                reason = "has no test data" if has_none else "has them as its test data, too"
                warnings.warn(
                    "The samples are translated from the training data and compared with them, because the run "
                    f"{reason}. Train with --test-data to measure how well the generator translates other images.",
                    stacklevel=1,
                )
            features = None
            if quality.needs_features(quality.choose_metrics(experiment, metrics)):
                cache = system.classifier_directory()
                features = experiment.make_features(
                    self.features, weights=self.weights, resize=self.resize, cache=cache, progress=progress
                )
            result = quality.evaluate(
                experiment,
                state,
                metrics,
                features,
                count=self.count,
                seed=config.seed if self.seed is None else self.seed,
                name=name,
                progress=progress,
            )
        for line in format_result(result):  # printed first, because the file may not be writable
            say(line)
        out = Path(self.out) if self.out else path / "evaluation.json"
        quality.write_result(result, out)
        say(f"results: {out}")
        if not self.out and (path / "report.html").exists():
            say(f"report: {report.write(path)}")

    def _reads_data(self) -> bool:
        """Return whether the metrics, or the training of the classifier that computes the features, need the data.

        The data decide about the metrics of other examples than images, and whether a classifier is trained without
        ``features`` and ``weights``. So True is returned unless all metrics are known to need only samples.
        """
        if self.metrics is None or quality.reads_data(self.metrics):
            return True
        features = self.features or ("inception" if self.weights else "classifier")
        known = {name: metric for name, metric in IMAGE_METRICS.items() if name in self.metrics}
        return features == "classifier" and quality.needs_features(known)
