"""Tests of unpaired examples, in two domains that are shuffled independently, and of training on them."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.files import encoded, folder, noise

from experiments import gan
from jaxgan import Game, Net, Player, data, latents, parallel, total
from jaxgan.data import Arrays, Batches, Unpaired, datasets, unpaired
from jaxgan.data.source import Subset, hold_out, read_into_memory, size_in_bytes
from jaxgan.experiment import Experiment, Sampling
from jaxgan.models import mlp
from jaxgan.training import loop, steps as stepping
from jaxgan.training.options import RunOptions
from jaxgan.training.runs import SingleRun


def domain(count, name="numbers", sign=1):
    """Return examples that are points; both coordinates are the example's index divided by 64, with a sign."""
    numbers = sign * np.arange(count, dtype=np.float32) / 64
    return Arrays(np.stack([numbers, numbers], 1), name=name)


def pair(images, inputs):
    return Unpaired(images=domain(images, "plus"), inputs=domain(inputs, "minus", -1))


def numbers(batch):
    return [
        np.round(sign * 64 * batch[name][:, 0]).astype(int).tolist() for name, sign in (("image", 1), ("input", -1))
    ]


def sequences(batches, steps):
    return joined(numbers(batches[step]) for step in range(steps))


def joined(parts):
    return [[i for part in domain for i in part] for domain in zip(*parts)]


def test_the_files_that_are_left_out_are_reported_once(tmp_path, recwarn):
    names = [f"train{domain}/{name}" for domain in "AB" for name in ("a.png", "b.png", "notes.txt")]
    path = folder(tmp_path / "set", {name: noise() for name in names})
    source = unpaired.load(str(path))
    assert [str(warning.message) for warning in recwarn] == [f"{path}: left out 2 files that are not images: 2 .txt."]
    assert source.name == f"{path / 'trainA'} to {path / 'trainB'}"


@pytest.mark.parametrize(("images", "inputs", "batch_size"), [(12, 5, 4), (5, 12, 4), (7, 7, 3), (1, 9, 4), (3, 2, 16)])
def test_each_domain_repeats_no_example_within_its_epoch(images, inputs, batch_size):
    source = pair(images, inputs)
    assert (len(source), source.name, source.shape, source.classes) == (max(images, inputs), "minus to plus", (2,), ())
    for seen, count in zip(sequences(Batches(source, batch_size, seed=0), 64), (images, inputs)):
        epochs = np.array(seen[: len(seen) // count * count]).reshape(-1, count)
        np.testing.assert_array_equal(np.sort(epochs, 1), np.tile(np.arange(count), (len(epochs), 1)))
        # There are at least 120 orders of 5 or more examples, so few epochs have the same order by chance.
        assert count < 5 or len(set(map(tuple, epochs.tolist()))) > 0.7 * len(epochs)


def test_the_orders_of_the_domains_are_independent():
    """An order is also not the other domain's order of a later epoch: NumPy treats (seed, 1) and (seed, 1, 0) alike."""
    images, inputs = (np.array(x).reshape(-1, 32) for x in sequences(Batches(pair(32, 32), 8, seed=0), 4 * 50))
    assert len({tuple(x) for x in [*images.tolist(), *inputs.tolist()]}) == 100
    met = {(i, j) for i, j in zip(images.ravel(), inputs.ravel())}
    assert len(met) == pytest.approx(1024 * (1 - np.exp(-50 / 32)), rel=0.05)


def test_the_order_of_the_images_does_not_depend_on_the_inputs():
    alone = Batches(domain(10), 4, 3)
    for step in range(9):
        np.testing.assert_array_equal(Batches(pair(10, 4), 4, 3)[step]["image"], alone[step]["image"])


def test_a_batch_depends_only_on_seed_and_step():
    expected = [numbers(Batches(pair(13, 6), 5, seed=3)[step]) for step in range(40)]
    jumping = Batches(pair(13, 6), 5, seed=3)
    order = np.random.default_rng(0).permutation(40).tolist()
    assert {step: numbers(jumping[step]) for step in order} == dict(enumerate(expected))
    assert [numbers(batch) for batch in data.stream(Batches(pair(13, 6), 5, seed=3), 7, 40)] == expected[7:]
    assert [numbers(Batches(pair(13, 6), 5, seed=4)[step]) for step in range(40)] != expected


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_global_batch(processes):
    whole, share = Batches(pair(10, 7), 8, seed=1), 8 // processes
    parts = [Batches(pair(10, 7), 8, seed=1, rows=slice(i * share, (i + 1) * share)) for i in range(processes)]
    for step in range(10):
        assert joined(numbers(part[step]) for part in parts) == numbers(whole[step])


def test_one_array_of_indices_reads_both_domains():
    """The shorter domain wraps around. Sample grids and scores read examples in this way."""
    assert numbers(pair(5, 3).read(np.arange(5))) == [[0, 1, 2, 3, 4], [0, 1, 2, 0, 1]]
    assert numbers(pair(2, 3).read(np.arange(3))) == [[0, 1, 0], [0, 1, 2]]
    assert numbers(pair(5, 3).read({"image": np.array([4, 4]), "input": np.array([0, 2])})) == [[4, 4], [0, 2]]
    assert read_into_memory(pair(2, 3)).by_name.keys() == {"image", "input"}


def test_hold_out_splits_both_domains():
    source = pair(20, 10)
    assert size_in_bytes(source) == 30 * 8
    for whole in (source, Unpaired(*(Subset(x, np.arange(len(x))) for x in (source.images, source.inputs)))):
        rest, held = hold_out(whole, 4)
        assert isinstance(rest, Unpaired) and isinstance(held, Unpaired)
        assert [len(x) for part in (rest, held) for x in part.domains.values()] == [16, 6, 4, 4]
        for i in range(2):
            (there, kept), count = (set(numbers(part.read(np.arange(16)))[i]) for part in (rest, held)), (20, 10)[i]
            assert (there | kept, there & kept) == (set(range(count)), set())
    message = "must be from 1 to 5, half of the 10 examples of minus, got 6"
    with pytest.raises(ValueError, match=message):
        hold_out(source, 6)


@pytest.mark.integration
def test_resident_data_equal_the_batches_that_are_read(monkeypatch):
    """This is tested for one game, and for a population of two games, where the indices are [B, 2]."""
    paired = Arrays(domain(13).images, np.arange(13, dtype=np.int32), inputs=domain(13, sign=-1).images)
    for source in (pair(13, 6), paired, domain(9)):
        assert stepping.is_resident(source)
        resident = jax.tree.map(jnp.asarray, source.by_name)
        batches = [Batches(source, 8, seed) for seed in (0, 1)]
        for step in range(5):
            own = [(each.indices(step), each[step]) for each in batches]
            together = [jax.tree.map(lambda *xs: np.stack(xs, 1), *both) for both in zip(*own)]
            for rows, read in (own[0], together):
                found = stepping.prepare(resident, rows)
                assert found.keys() == read.keys()
                jax.tree.map(np.testing.assert_array_equal, found, stepping.prepare(None, read))
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", 19 * 8 - 1)
    assert not stepping.is_resident(pair(13, 6))
    part = Unpaired(images=Subset(domain(2), np.arange(2)), inputs=domain(2))
    assert (stepping.is_resident(part), part.by_name) == (False, {})


def translation() -> Game:
    """Return a game that translates points: D distinguishes images from samples that G generates from inputs."""

    def discriminator_loss(nets, batch, keys, step):
        return total(gap=nets.d(nets.g(batch["input"])) - nets.d(batch["image"]))

    def generator_loss(nets, batch, keys, step):
        return total(gap=-nets.d(nets.g(batch["input"])))

    nets = {
        "g": Net(mlp.Generator((2,), (8,), lambda x: x), jnp.zeros((1, 2))),
        "d": Net(mlp.Discriminator((8,)), jnp.zeros((1, 2))),
    }
    losses = {"d": discriminator_loss, "g": generator_loss}
    players = {name: Player((name,), loss, optax.sgd(0.01)) for name, loss in losses.items()}
    return Game(nets, players, turns=(("d",), ("g",)))


@pytest.mark.integration
@pytest.mark.parametrize("form", [parallel.pmap, parallel.shard_map])
def test_training_does_not_depend_on_the_number_of_devices(form):
    game, source = translation(), pair(40, 12)
    batches = Batches(source, 8, 0)

    def trained(count, resident):
        on = parallel.devices(count)
        state = parallel.replicate(game.init(jax.random.key(0)), on, local=True)
        kept = parallel.replicate(source.by_name, on, local=True) if resident else None
        step = form(game, on, prepare=stepping.prepare, resident=kept, max_steps=4)
        rows = [batches.indices(i) if resident else batches[i] for i in range(4)]
        state, metrics = step(state, jax.tree.map(lambda *xs: np.stack(xs), *rows))
        return jax.tree.map(np.asarray, (state.params, metrics))

    expected = trained(1, resident=True)
    for count, resident in ((1, False), (4, True), (4, False)):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6), trained(count, resident), expected
        )


@pytest.mark.integration
def test_a_resumed_run_is_bitwise_equal(tmp_path, monkeypatch):
    game, config = translation(), gan.Config(steps=6, batch_size=8)

    def make(nets, z):
        return nets.g(z)

    def draw(keys):
        return latents(keys, 2)

    run = SingleRun(Experiment(game, pair(40, 12), Sampling(draw, make)), config)

    def rows(name, *stops):
        for stop in stops:
            some = gan.Config(steps=stop, batch_size=8)
            (tmp_path / name).mkdir(exist_ok=True)
            loop.train(run, some, RunOptions(devices=1, quiet=True), tmp_path / name, "points")
        return (tmp_path / name / "metrics.jsonl").read_text()

    whole = rows("whole", 6)
    assert len(whole.splitlines()) == 6
    assert rows("parts", 4, 6) == whole
    monkeypatch.setattr(stepping, "RESIDENT_BYTES", -1)
    assert len(rows("streamed", 4, 6).splitlines()) == 6


@pytest.fixture(scope="module")
def horses(tmp_path_factory):
    """Prepare a small data set with the name and the splits of cycle_gan/horse2zebra in TFDS.

    Returns:
      The folder, and the images of each split as bytes: 5, 3, 2 and 2 images of 8 x 8.
    """
    import tensorflow_datasets as tfds

    path = tmp_path_factory.mktemp("prepared")
    pixels = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)
    counts = {"trainA": range(5), "trainB": range(5, 8), "testA": range(8, 10), "testB": range(10, 12)}
    with tfds.core.registered.skip_registration():

        class CycleGan(tfds.core.GeneratorBasedBuilder):
            name = "cycle_gan"
            VERSION = tfds.core.Version("3.0.0")
            BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="horse2zebra")]  # noqa: RUF012

            def _info(self):
                features = {
                    "image": tfds.features.Image(shape=(None, None, 3)),
                    "label": tfds.features.ClassLabel(names=["A", "B"]),
                }
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                return {split: self._generate_examples(split, rows) for split, rows in counts.items()}

            def _generate_examples(self, split, rows):
                for i in rows:
                    yield i, {"image": io.BytesIO(encoded(pixels[i], "png")), "label": split[-1]}

    CycleGan(data_dir=path, config="horse2zebra", file_format="array_record").download_and_prepare()
    return str(path), {split: {pixels[i].tobytes() for i in rows} for split, rows in counts.items()}


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_tfds_data_set_contains_both_domains(horses, split):
    path, expected = horses
    source = unpaired.load("cycle_gan/horse2zebra", split=split, data_dir=path)
    for found, name in ((source.inputs, "A"), (source.images, "B")):
        assert isinstance(found, Arrays)
        assert {x.tobytes() for x in found.images} == expected[f"{split}{name}"]
    assert source.read(np.arange(len(source))).keys() == {"image", "input"}
    assert stepping.is_resident(source)
    small = unpaired.load("cycle_gan/horse2zebra", resolution=4, split=split, data_dir=path)
    assert [x.shape for x in small.domains.values()] == [(4, 4, 3)] * 2
    message = r"does not exist, or it is empty\. The splits are: .*testA.* Alternatively, pass the inputs as `data_a`"
    with pytest.raises(ValueError, match=message):
        unpaired.load("cycle_gan/horse2zebra", split="validation", data_dir=path)


def test_a_folder_contains_both_domains_or_two_names_do(tmp_path, horses):
    files = {
        f"{x}/{i}.png": noise((8, 8)) for x, count in (("trainA", 3), ("trainB", 4), ("other", 2)) for i in range(count)
    }
    path = folder(tmp_path / "both", files)
    with pytest.warns(
        UserWarning,
        match=r"both: the split train is used \(7 of 9 images\), without the images beside the folders of splits \(2\)",
    ):
        one = unpaired.load(str(path))
    two = unpaired.load(str(path / "trainB"), str(path / "trainA"))
    for source in (one, two):
        assert [len(x) for x in source.domains.values()] == [4, 3]
        assert source.name == f"{path / 'trainA'} to {path / 'trainB'}"
    with pytest.raises(
        ValueError,
        match=r"both has no split 'test', but the splits train \(7\)\.",
    ):
        unpaired.load(str(path), split="test")
    with pytest.raises(
        ValueError,
        match=r"TensorFlow Datasets has no data set of this name\. .* Alternatively, pass the inputs as `data_a`",
    ):
        unpaired.load("nothing-of-that-name", data_dir=horses[0])
    with pytest.raises(ValueError, match=r"The split 'trainA' of digits does not exist"):
        unpaired.load("digits")
    points = unpaired.load("ring", "grid")
    assert isinstance(points.images, Arrays) and (points.name, len(points)) == ("grid to ring", 50_000)
    assert datasets.load("cycle_gan/horse2zebra", "trainA", horses[0]).classes == ("A", "B")


@pytest.mark.parametrize(("missing", "argument"), [(0, "data"), (1, "data_a")])
def test_the_missing_set_is_named(missing, argument, tmp_path):
    names = [str(tmp_path / "nothing.npz") if i == missing else "digits" for i in range(2)]
    with pytest.raises(ValueError, match=rf"^`{argument}` '.*nothing\.npz' does not exist"):
        unpaired.load(*names)
