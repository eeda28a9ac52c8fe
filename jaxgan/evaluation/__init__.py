"""Compute metrics between two sets of examples, such as the FID, and record how they were measured."""

from jaxgan.evaluation.classifier import Classifier as Classifier, train_classifier as train_classifier
from jaxgan.evaluation.distance import Distance as Distance, fid as fid
from jaxgan.evaluation.extractors import (
    EXTRACTORS as EXTRACTORS,
    ArrayFeatures as ArrayFeatures,
    FeatureExtractor as FeatureExtractor,
    InceptionFeatures as InceptionFeatures,
    make_extractor as make_extractor,
)
from jaxgan.evaluation.metric_names import (
    figure_name as figure_name,
    format_protocol as format_protocol,
    format_result as format_result,
    with_current_names as with_current_names,
)
from jaxgan.evaluation.scores import (
    METRICS as METRICS,
    Metric as Metric,
    PairedMetric as PairedMetric,
    PathMetric as PathMetric,
    SampleStats as SampleStats,
    collect_stats as collect_stats,
    compare as compare,
)
