"""Create builders of TensorFlow Datasets (TFDS) from examples that a test passes."""


def builder_of(tfds, features, examples, name="Tiny"):
    """Create a builder class that is not registered in TFDS, like that of a dataset without its source code.

    Args:
      tfds: the package ``tensorflow_datasets``. Tests import it after ``conftest.py`` has set ``TFDS_DATA_DIR``.
      features: maps names to features.
      examples: maps the name of each split to its examples, in order.
      name: name of the class, from which TFDS derives the name of the dataset.
    """

    def info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def generate(self, split_examples):
        yield from enumerate(split_examples)

    def split_generators(self, dl_manager):
        return {split: self._generate_examples(split_examples) for split, split_examples in examples.items()}

    methods = {"_info": info, "_split_generators": split_generators, "_generate_examples": generate}
    with tfds.core.registered.skip_registration():
        return type(
            name,
            (tfds.core.GeneratorBasedBuilder,),
            {"VERSION": tfds.core.Version("1.0.0"), "__module__": __name__, **methods},
        )
