"""Builders of TensorFlow Datasets for tests, of examples that are given."""


def builder_of(tfds, features, examples, name="Tiny"):
    """A class of builder that TFDS does not know by name, as of a dataset whose code is not here.

    Args:
      tfds: the package, which a test imports after ``conftest.py`` has named the tests' own folder.
      features: by name.
      examples: for each split its examples, in order.
      name: of the class, from which TFDS makes the dataset's name.
    """

    def info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def generate(self, some):
        yield from enumerate(some)

    def split_generators(self, dl_manager):
        return {split: self._generate_examples(some) for split, some in examples.items()}

    methods = {"_info": info, "_split_generators": split_generators, "_generate_examples": generate}
    with tfds.core.registered.skip_registration():
        return type(
            name,
            (tfds.core.GeneratorBasedBuilder,),
            {"VERSION": tfds.core.Version("1.0.0"), "__module__": __name__, **methods},
        )
