"""Metrics: the distance between generated samples and the data, and the diversity of the samples.

Metrics that compare features take arrays [N, D] from any network. ``kid`` is an alias of ``kernel_distance``, and
``mifid`` is an alias of ``memorisation_informed_distance``. With features of Inception, these metrics are the published
KID and MiFID. Metrics of tables take dictionaries of columns, and metrics of text take collections of strings.
"""

from jaxgan.metrics.frechet import frechet_distance as frechet_distance, gaussian_distance as gaussian_distance
from jaxgan.metrics.inception_score import InceptionScore as InceptionScore, inception_score as inception_score
from jaxgan.metrics.kernel import KernelDistance as KernelDistance, kernel_distance as kernel_distance
from jaxgan.metrics.modes import Modes as Modes, count_modes as count_modes, nearest_modes as nearest_modes
from jaxgan.metrics.moments import Moments as Moments, merge_moments as merge_moments, moments as moments
from jaxgan.metrics.neighbours import (
    DensityCoverage as DensityCoverage,
    PrecisionRecall as PrecisionRecall,
    authenticity as authenticity,
    density_coverage as density_coverage,
    memorisation as memorisation,
    memorisation_informed_distance as memorisation_informed_distance,
    nearest_distances as nearest_distances,
    precision_recall as precision_recall,
)
from jaxgan.metrics.perceptual_path_length import perceptual_path_length as perceptual_path_length
from jaxgan.metrics.series import (
    SeriesScore as SeriesScore,
    autocorrelation_distance as autocorrelation_distance,
    cross_correlation_distance as cross_correlation_distance,
    discriminative_score as discriminative_score,
    predictive_score as predictive_score,
)
from jaxgan.metrics.similarity import (
    ms_ssim as ms_ssim,
    ms_ssim_diversity as ms_ssim_diversity,
    psnr as psnr,
    ssim as ssim,
    total_variation as total_variation,
)
from jaxgan.metrics.table_classifiers import (
    TSTR as TSTR,
    ClassifierScore as ClassifierScore,
    Detection as Detection,
    logistic_detection as logistic_detection,
    train_on_synthetic_test_on_real as train_on_synthetic_test_on_real,
)
from jaxgan.metrics.tables import (
    ClosestRecords as ClosestRecords,
    ColumnPairTrends as ColumnPairTrends,
    ColumnShapes as ColumnShapes,
    column_pair_trends as column_pair_trends,
    column_shapes as column_shapes,
    distance_to_closest_record as distance_to_closest_record,
)
from jaxgan.metrics.text import (
    NgramModel as NgramModel,
    bleu as bleu,
    ngram_js as ngram_js,
    self_bleu as self_bleu,
)

kid = kernel_distance
mifid = memorisation_informed_distance
