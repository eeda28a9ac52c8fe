"""3D-GAN: rendered samples, pauses of the discriminator, errors, and the quality of generated chairs."""

import itertools

import jax
import numpy as np
import pytest
from helpers import programs
from helpers.programs import run
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from experiments import gan3d as experiment
from jaxgan import data
from jaxgan.core.keys import sample_keys
from jaxgan.data import voxels
from jaxgan.media.medium import coarse_pixels


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("gan3d") / "run"
    flags = programs.tiny("gan3d")
    code, text = run(programs.Silent(), "--steps", 2, "--run-dir", run_dir, *flags, experiment="gan3d")
    assert code == 0, text
    return run_dir


@pytest.mark.slow
def test_samples_are_rendered_as_grid_row_and_animation(trained, tmp_path, capsys):
    """A run writes grids, two samples are in one row, and in an animation they rotate while they change."""
    with Image.open(trained / "samples" / "step_0000002.png") as grid:
        assert grid.size == (8 * 65 - 1, 8 * 65 - 1)
    for name, size, frames in (("a.png", (4 * 129, 4 * 64), 1), ("a.gif", (256, 256), 48)):
        code, text = run(
            capsys, "sample", "--run-dir", trained, "--count", 2, "--out", tmp_path / name, experiment="gan3d"
        )
        assert code == 0, text
        with Image.open(tmp_path / name) as picture:
            assert picture.size == size
            assert getattr(picture, "n_frames", 1) == frames
            rendered = [np.asarray(picture.convert("L"))]
            if frames > 1:
                picture.seek(frames // 2)
                rendered.append(np.asarray(picture.convert("L")))
                assert (rendered[0] != rendered[1]).any()


@pytest.mark.integration
def test_discriminator_pauses_after_a_batch_above_the_accuracy():
    """With a limit of 0, the discriminator is updated in the first step only, and the generator in every step."""
    built = experiment.build(experiment.Config.tiny(d_pause_accuracy=0.0))
    step = jax.jit(built.game.step)
    batch = data.normalize(built.source.read(np.arange(8)))
    states = [jax.jit(built.game.init)(jax.random.key(0))]
    for _ in range(2):
        state, metrics = step(states[-1], batch)
        states.append(state)
        assert metrics["d/accuracy"] == pytest.approx((metrics["d/accuracy_real"] + metrics["d/accuracy_fake"]) / 2)
        assert metrics["d/accuracy"] > 0

    def is_updated(net):
        pairs = itertools.pairwise(jax.tree.leaves(state.params[net]) for state in states)
        return [not all(map(np.array_equal, a, b)) for a, b in pairs]

    assert (is_updated("d"), is_updated("g")) == ([True, False], [True, True])


BAD = {
    "channels": (["--channels", 3], "--channels must be 1 for voxels, which are empty or solid, got 3."),
    "category": (["--category", "x"], "--category must be a class of digits, extruded, got x"),
    "accuracy": (["--d-pause-accuracy", 1.5], "--d-pause-accuracy must be between 0 and 1, got 1.5."),
    "learning rate": (["--d-learning-rate", -1], "--d-learning-rate must be between 0 and 1000000, got -1.0."),
    "latents": (["--z-min", 0.5], "--z-min must be between -1 and 0, got 0.5."),
    "resolution": (["--resolution", 12], "digits, extruded: cubes of side 16 cannot be reduced to side 12"),
    "resolution of no power of two": (
        ["--resolution", 24],
        "--resolution must be a power of two times --base-resolution (4), got 24. Use 16 or 32, or --base-resolution 6.",
    ),
    "data": (["--data", "mnist"], "--data must be digits, an .npz file or a folder of .binvox files, got 'mnist'"),
}


@pytest.mark.parametrize(("flags", "message"), BAD.values(), ids=BAD.keys())
def test_invalid_flags_are_refused_with_a_message(flags, message, tmp_path, capsys):
    code, text = run(capsys, "--run-dir", tmp_path / "run", *flags, experiment="gan3d")
    assert message in " ".join(text.split())
    assert code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("low", [-1.0, 0.0])
def test_latents_are_uniform_from_z_min_to_one(low):
    z = experiment.build(experiment.Config.tiny(z_dim=200, z_min=low)).sampling.latents(sample_keys(0, 50))
    assert low <= z.min() < low + 0.01 < 0.99 < z.max() < 1
    assert np.mean(z) == pytest.approx((low + 1) / 2, abs=0.03)


def test_coarse_pixels_are_means_over_blocks():
    """Features of a cube of side 16 are the means over blocks of 4 x 4 x 4 voxels."""
    cubes = np.random.default_rng(0).random((2, 16, 16, 16, 1))
    found = coarse_pixels(cubes).reshape(2, 4, 4, 4)
    assert found[1, 2, 0, 3] == pytest.approx(cubes[1, 8:12, 0:4, 12:16].mean())
    assert found.mean() == pytest.approx(cubes.mean())
    images = np.random.default_rng(0).random((2, 17, 16, 3))  # blocks of 3 x 2 pixels; the last two rows fill no block
    found = coarse_pixels(images).reshape(2, 5, 8)
    assert found[0, 1, 2] == pytest.approx(images[0, 3:6, 4:6].mean())


MODELNET = "modelnet10_voxels/modelnet10_chair_monitor_32.npz"
SIDE = 16


def solid(source) -> np.ndarray:
    """Return the solids of a source, [N, V] of booleans."""
    return source.read(np.arange(len(source)))["image"].reshape(len(source), -1) > 0


def overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the intersection over union of solids, [N, V] and [M, V] of booleans, in pairs: [N, M]."""
    a, b = a.astype(np.float32), b.astype(np.float32)
    both = a @ b.T
    return both / np.maximum(a.sum(1)[:, None] + b.sum(1)[None] - both, 1)


@pytest.mark.slow
def test_generated_chairs_are_classified_as_chairs_and_are_not_copies(test_data, tmp_path):
    path = test_data / MODELNET
    chairs, monitors = (solid(voxels.load(str(path), resolution=SIDE, category=name)) for name in ("chair", "monitor"))
    order = np.random.default_rng(0).permutation(len(chairs) + len(monitors))
    x, y = np.concatenate([chairs, monitors])[order], (np.arange(len(order)) < len(chairs))[order]
    judge = make_pipeline(PCA(64, random_state=0), LogisticRegression(max_iter=2000))
    held_out = judge.fit(x[:1000], y[:1000]).score(x[1000:], y[1000:])

    flags = ["--data", path, "--category", "chair", "--resolution", SIDE, "--quiet", "--run-dir", tmp_path / "run"]
    programs.done(*flags, experiment="gan3d")
    out = tmp_path / "raw.npz"
    programs.done("sample", "--run-dir", tmp_path / "run", "--count", 512, "--out", out, experiment="gan3d")
    samples = np.load(out)["images"]
    assert samples.shape == (512, SIDE, SIDE, SIDE, 1)
    found = compare(samples.reshape(512, -1) > 0, chairs, judge.fit(x, y)) | {"held out": held_out}
    print(found)
    assert found["held out"] >= 0.97
    assert found["chairs"] >= 0.9
    assert (
        found["nearest, most"] < 0.9
    )  # the overlap of a copy is 1, as for the 12 % of chairs that occur twice in the data
    # Samples overlap with real chairs more than independent voxels do, and no more than real chairs with each other.
    independent = np.random.default_rng(1).random((512, SIDE**3)) < chairs.mean(0)
    assert found["nearest"] > np.median(overlap(independent, chairs).max(1)) + 0.1
    assert found["nearest"] < found["nearest real"] + 0.05
    assert found["alike"] < 0.9  # 0.997 for a generator that produces one chair
    assert abs(found["occupancy"] / found["occupancy real"] - 1) < 0.35


def compare(samples: np.ndarray, reals: np.ndarray, judge) -> dict[str, float]:
    """Return scores of samples against real solids, both [N, V] of booleans, and the share that ``judge`` accepts."""
    nearest = overlap(samples, reals).max(1)
    between = overlap(reals, reals)
    np.fill_diagonal(between, 0)
    among = overlap(samples, samples)
    np.fill_diagonal(among, 0)
    return {
        "chairs": float(judge.predict(samples).mean()),
        "nearest": float(np.median(nearest)),
        "nearest, most": float(nearest.max()),
        "nearest real": float(np.median(between.max(1))),
        "duplicates": float((between.max(1) > 0.98).mean()),
        "alike": float(np.median(among.max(1))),
        "alike real": float(np.median(between.max(1)[: len(samples)])),
        "occupancy": float(samples.mean()),
        "occupancy real": float(reals.mean()),
    }
