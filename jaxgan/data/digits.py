"""The 1,797 real handwritten digits, 8 x 8, that ship inside scikit-learn, as a TFDS dataset.

From the optical recognition of handwritten digits data set (Alpaydin and Kaynak, UCI, CC BY 4.0). It is
prepared without network and without TensorFlow: the images are plain tensors, float32 in [-1, 1] (the 17
grey levels v / 8 - 1, exactly), and the files array_record.
"""

import numpy as np
import tensorflow_datasets as tfds
from sklearn.datasets import load_digits


class Digits(tfds.core.GeneratorBasedBuilder):
    """scikit-learn's digits."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Tensor(shape=(8, 8, 1), dtype=np.float32),
                "label": tfds.features.ClassLabel(num_classes=10),
            }
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description=__doc__,
            features=features,
            supervised_keys=("image", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license="CC BY 4.0",
        )

    def _split_generators(self, dl_manager):
        del dl_manager  # nothing to download
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        pixels, labels = load_digits(return_X_y=True)
        for i, (image, label) in enumerate(zip(pixels.reshape(-1, 8, 8, 1), labels)):
            yield i, {"image": (image / 8 - 1).astype(np.float32), "label": int(label)}
