"""Projection of images into styles: known styles are found, targets are independent, and the command writes files."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from experiments import stylegan2 as experiment
from jaxgan import losses
from jaxgan.cli.checkpoint_reference import Restored
from jaxgan.cli.project import project_files
from jaxgan.cli.sample import sample_projections
from jaxgan.editing.inversion import NOISE_WEIGHT, Projection, autocorrelation, estimate_w_std, project
from jaxgan.editing.projection_files import SavedProjection, read_projection, write_projection
from jaxgan.metrics import psnr
from jaxgan.models import stylegan2
from jaxgan.reporting import report

pytestmark = pytest.mark.integration

SYNTHESIS = stylegan2.Synthesis((16, 16), channel_base=128, channel_max=8)
MAPPING = stylegan2.Mapping(SYNTHESIS.num_ws, 8, 2)


@pytest.fixture(scope="module")
def generator():
    """Return a random generator with noise, as a function to images in [-1, 1]; 512 styles; and the constant noise."""
    z = jax.random.normal(jax.random.key(0), (512, 8))
    ws, _ = jax.jit(lambda z: MAPPING.init_with_output(jax.random.key(1), z, train=False))(z)
    noise = SYNTHESIS.constant_noise(jax.random.key(3))
    params = jax.jit(SYNTHESIS.init)(jax.random.key(2), ws[:1])
    params = jax.tree_util.tree_map_with_path(
        lambda path, x: jnp.float32(0.05) if path[-1].key == "strength" else x, params
    )
    size = float(jnp.abs(jax.jit(SYNTHESIS.apply)(params, ws, noise)).max())
    return lambda ws, noise: SYNTHESIS.apply(params, ws, noise) / size, ws, noise


@functools.cache
def compiled_projection(images_of, space, steps):
    """Return ``project`` as a function of arrays, which is compiled once for all tests."""

    @jax.jit
    def found(ws, noise, targets, keys, noise_weight):
        average = ws[:, 0].mean(0)
        return project(
            images_of,
            lambda images: losses.multiscale_l1(images, targets),
            average,
            noise,
            keys,
            num_ws=SYNTHESIS.num_ws,
            w_std=estimate_w_std(ws[:, 0], average),
            space=space,
            steps=steps,
            noise_weight=noise_weight,
        )

    return found


def projected(generator, targets, keys=None, space="w", steps=150, noise_weight=NOISE_WEIGHT) -> Projection:
    images_of, ws, noise = generator
    keys = jax.random.split(jax.random.key(5), len(targets)) if keys is None else keys
    return compiled_projection(images_of, space, steps)(ws, noise, targets, keys, noise_weight)


def psnr_of(generator, found, targets):
    """Return the PSNR of the images of projections and their targets."""
    images = jax.jit(generator[0])(found.ws, found.noise)
    return psnr(np.clip(images, -1, 1), np.clip(targets, -1, 1))


@pytest.fixture(scope="module")
def in_w(generator):
    """Return three images of known styles, and their projections in the space "w"."""
    images_of, ws, noise = generator
    targets = jax.jit(images_of)(ws[:3], noise)
    return targets, projected(generator, targets)


def test_known_styles_are_found(generator, in_w):
    images_of, ws, noise = generator
    targets, found = in_w
    assert found.loss_history.shape == (3, 150) and found.ws.shape == ws[:3].shape
    assert np.all(found.loss_history[:, 0] > 5 * found.loss_history[:, -1])
    own_psnr = psnr_of(generator, found, targets)
    # The PSNR is higher than with 500 other styles, and with the average style, where the search starts.
    others = jax.jit(images_of)(jnp.concatenate([ws[3:], ws.mean(0, keepdims=True)]), noise)
    for target, own in zip(targets, own_psnr):
        repeated = np.broadcast_to(np.clip(target, -1, 1), others.shape)
        assert own > psnr(np.clip(others, -1, 1), repeated).max() + 3
    assert np.ptp(found.ws, axis=1).max() == 0  # one style for all layers
    distance = jnp.linalg.norm(found.ws[:, 0] - ws[:3, 0], axis=-1)
    assert np.all(distance < 0.5 * jnp.linalg.norm(ws.mean((0, 1))[None] - ws[:3, 0], axis=-1))


def test_one_style_per_layer_reproduces_more_images(generator, in_w):
    """The space "w+" is about as good for images of one style, and much better for images of two mixed styles."""
    images_of, ws, noise = generator
    targets, found = in_w
    plus = projected(generator, targets, space="w+")
    assert np.ptp(plus.ws, axis=1).min() > 0
    assert np.all(psnr_of(generator, plus, targets) > psnr_of(generator, found, targets) - 1)
    two = jnp.where(jnp.arange(SYNTHESIS.num_ws)[None, :, None] < 3, ws[:3], ws[3:6])
    targets = jax.jit(images_of)(two, noise)
    in_w_psnr, in_w_plus_psnr = (
        psnr_of(generator, projected(generator, targets, space=space), targets) for space in ("w", "w+")
    )
    assert np.all(in_w_plus_psnr > in_w_psnr + 3)


def test_targets_are_projected_independently(generator, in_w):
    targets, _ = in_w
    keys = jax.random.split(jax.random.key(7), 2)
    both = projected(generator, targets[:2], keys, steps=20)
    for i in range(2):
        alone = projected(generator, targets[i : i + 1], keys[i : i + 1], steps=20)
        for x, y in zip(jax.tree.leaves(alone), jax.tree.leaves(both)):
            np.testing.assert_allclose(x[0], y[i], atol=1e-3)
    assert np.abs(both.ws[0] - both.ws[1]).max() > 0.1


def test_the_penalty_prevents_noise_maps_from_encoding_the_image(generator, in_w):
    """Styles cannot reproduce the smooth gradient of this target. Without the penalty, the noise maps show it."""
    targets, _ = in_w
    ramp = jnp.linspace(-0.3, 0.3, 16)
    targets = targets + ramp[None, :, None, None] * ramp[None, None, :, None] / 0.3
    found = {weight: projected(generator, targets, noise_weight=weight) for weight in (0.0, 1e5)}
    with_penalty, without = (autocorrelation(found[weight].noise) for weight in (1e5, 0.0))
    assert np.all(with_penalty < 0.1 * without)
    for x in found[1e5].noise:
        np.testing.assert_allclose(x.mean((1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(x.var((1, 2)), 1, atol=1e-4)


def test_autocorrelation_of_white_noise_and_of_smooth_maps():
    """The values are derived manually. White noise: 1 / (h w) for two directions, at 32, 16 and 8 pixels."""
    white = jax.random.normal(jax.random.key(0), (4000, 32, 32))
    assert float(autocorrelation([white]).mean()) == pytest.approx(2 * (1 / 1024 + 1 / 256 + 1 / 64), rel=0.05)
    wave = jnp.broadcast_to(jnp.sqrt(2) * jnp.sin(2 * jnp.pi * jnp.arange(32) / 32)[None, None], (1, 32, 32))
    # Downsampling preserves the variance of white noise, so it multiplies the variance of a wave by almost 4.
    variance = {32: 1.0, 16: 4 * np.cos(np.pi / 32) ** 2}
    variance[8] = 4 * np.cos(np.pi / 16) ** 2 * variance[16]
    expected = sum(v**2 * (1 + np.cos(2 * np.pi / n) ** 2) for n, v in variance.items())
    assert float(autocorrelation([wave])[0]) == pytest.approx(expected, rel=1e-4)
    assert float(autocorrelation([jnp.eye(4)[None], jnp.eye(4)[None]])[0]) == pytest.approx(0)


def test_invalid_arguments_are_rejected(generator):
    images_of, ws, noise = generator
    targets = jnp.zeros((1, 16, 16, 3))
    with pytest.raises(ValueError, match=r"`space` must be 'w' or 'w\+', got 'z'"):
        projected(generator, targets, space="z")
    with pytest.raises(ValueError, match="`steps` must be at least 1, got 0"):
        projected(generator, targets, steps=0)
    keys = jax.random.split(jax.random.key(0), 1)
    with pytest.raises(
        ValueError, match=r"`loss` must return one value per target, an array of shape \(1,\), got \(\)"
    ):
        project(images_of, jnp.mean, ws[0, 0], noise, keys, num_ws=SYNTHESIS.num_ws, w_std=1.0, steps=1)


# The command ``project``


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run directory with the initial checkpoint of a conditional model of grey images of 16 x 16."""
    data = tmp_path_factory.mktemp("data")
    for i in range(4):
        file = data / f"class_{i % 2}" / f"{i}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((16, 16), 50 * i, np.uint8)).save(file)
    folder = tmp_path_factory.mktemp("run") / "run"
    return programs.begun(folder, "stylegan2", data=str(data), resolution=16, conditional=True)


def picture(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)).save(path)
    return path


def command(capsys, run, *arguments, name="stylegan2"):
    return programs.run(capsys, *arguments, "--run-dir", run, experiment=name)


def test_the_command_writes_projections_that_can_be_sampled_and_reported(run, tmp_path, capsys):
    for i, (name, *size) in enumerate([("b.jpg", 20, 30), ("a.png", 16, 16), ("more/c.png", 40, 16)]):
        picture(tmp_path / "images" / name, *size, seed=i)
    arguments = ("project", "--images", tmp_path / "images", "--space", "w", "w+", "--steps", 3)
    code, text = command(capsys, run, *arguments)
    assert code == 0, text
    assert all(message in text for message in ("a.png", "more/c.png", "PSNR, dB", "SSIM", "w+"))
    folder = run / "projections"
    stems = ("a", "b", "more/c")
    written = {f"{stem}.{end}" for stem in stems for end in ("png", "w.npz", "w+.npz")}
    assert {x.relative_to(folder).as_posix() for x in folder.rglob("*.*")} == written
    own = read_projection(folder / "a.w.npz")
    assert own.loss_history.shape == (3,) and np.isfinite(own.ssim)
    assert (own.protocol["space"], own.protocol["steps"], own.protocol["checkpoint"]) == ("w", 3, 0)

    # The image shows the target and both projections, and its metadata say that it is synthetic in part.
    with Image.open(folder / "a.png") as sheet, Image.open(tmp_path / "images" / "a.png") as image:
        assert "Partly or completely synthetic" in sheet.text["Description"]
        shown = np.asarray(sheet)[::16, ::16]
        grey = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(shown[:, :16], grey)
    projected_image = shown[:, 17:33]
    assert psnr(projected_image[None, ..., None], grey[None, ..., None], low=0, high=255)[0] == pytest.approx(own.psnr)

    # The command ``sample`` generates the image from the projection file.
    files = (folder / "a.w.npz", folder / "b.w+.npz")
    code, text = command(capsys, run, "sample", "--styles", *files, "--out", tmp_path / "again.npz")
    assert code == 0, text
    again = np.load(tmp_path / "again.npz")["images"]
    assert again.shape == (2, 16, 16, 1)
    np.testing.assert_array_equal(np.round((np.clip(again[0, ..., 0], -1, 1) + 1) * 127.5), projected_image)
    assert command(capsys, run, "sample", "--styles", *files, "--out", tmp_path / "again.png")[0] == 0

    shown = json.loads(report.write(run).read_text().partition('id="run">')[2].partition("</script>")[0])["projections"]
    assert [x["title"] for x in shown] == list(stems)
    assert f"w: PSNR {own.psnr:.2f} dB" in shown[0]["caption"] and "w+: PSNR" in shown[0]["caption"]

    # A damaged file is an error for the command ``sample``, and the report leaves it out.
    (folder / "a.w.npz").write_bytes(b"no zip")
    code, text = command(capsys, run, "sample", "--styles", folder / "a.w.npz", "--out", tmp_path / "x.png")
    assert code == 2 and "a.w.npz is not a projection file, or it is damaged" in text
    report.write(run)


WRONG = {
    "missing": (["--images", "{}/none"], "none does not exist."),
    "no images": (["--images", "{}/empty"], "contains no images (other files: 1 .txt)"),
    "unreadable": (["--images", "{}/bad"], "x.png is not an image, or its format is not supported"),
    "no step": (["--images", "{}/good", "--steps", 0], "--steps must be at least 1, got 0"),
    "one name": (["--images", "{}/twice"], "would both be written to a.png. Rename one"),
    "no space": (["--images", "{}/good", "--space"], "--space must be w, w+ or both, without repetition, got"),
    "twice": (
        ["--images", "{}/good", "--space", "w", "w"],
        "--space must be w, w+ or both, without repetition, got 'w w'.",
    ),
    "unknown space": (["--images", "{}/good", "--space", "z"], "--space"),
}


@pytest.mark.parametrize(("flags", "message"), WRONG.values(), ids=WRONG.keys())
def test_invalid_flags_are_rejected(run, flags, message, tmp_path, capsys):
    for name in ("good/a.png", "twice/a.png", "twice/a.jpg"):
        picture(tmp_path / name, 8, 8)
    for name in ("bad/x.png", "empty/notes.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"text")
    arguments = [str(x).replace("{}", str(tmp_path)) for x in flags]
    code, text = command(capsys, run, "project", "--out", tmp_path / "out", *arguments)
    assert code == 2 and message in " ".join(text.split()) and "Traceback" not in text
    assert not (tmp_path / "out").exists()


def test_project_reports_images_that_are_enlarged_or_blended(run, tmp_path, capsys):
    picture(tmp_path / "images" / "a.png", 8, 9)
    Image.new("LA", (1, 80)).save(tmp_path / "images" / "b.png")
    (tmp_path / "images" / "notes.txt").write_text("text")
    _, text = command(capsys, run, "project", "--images", tmp_path / "images", "--steps", 0)
    lines = [line for line in text.splitlines() if line.startswith("warning: ")]
    assert lines == [
        f"warning: {tmp_path / 'images'}: left out 1 file that is not an image: 1 .txt.",
        f"warning: {tmp_path / 'images'}: 2 images, of which 1 with an alpha channel (blended with white); 2 smaller than "
        "16 x 16 (enlarged); 1 at least 4 times as long as wide (only the central square is read).",
    ]


def test_experiments_without_styles_are_rejected(run, tmp_path):
    built = experiment.build(experiment.Config.tiny())
    without = dataclasses.replace(built, sampling=dataclasses.replace(built.sampling, styles=None))
    state = jax.eval_shape(built.game.init, jax.random.key(0))
    with pytest.raises(ValueError, match="This experiment's generator has no styles"):
        project_files(Restored(without, state, ""), tmp_path, tmp_path, "", spaces=("w",), steps=1, seed=0)
    with pytest.raises(ValueError, match="This experiment's generator has no styles"):
        sample_projections(Restored(without, state, ""), [tmp_path], tmp_path, "")


def test_projections_of_another_model_are_rejected(run, tmp_path, capsys):
    other = SavedProjection(np.zeros((3, 4), np.float32), (), np.zeros(1), 0.0, 0.0, {"checkpoint": 0})
    write_projection(tmp_path / "other.w.npz", other)
    arguments = ("sample", "--styles", tmp_path / "other.w.npz", "--out")
    code, text = command(capsys, run, *arguments, tmp_path / "a.png")
    assert (
        code == 2 and "has styles of shape (3, 4) and 0 noise maps, but this run needs styles of shape (6, 4)" in text
    )
    code, text = command(capsys, run, *arguments, tmp_path / "a.gif")
    assert code == 2 and "--out must be a .png, .jpg, .jpeg or .npz file with --styles, got" in text
    code, text = command(capsys, run, *arguments, tmp_path / "a.png", "--label", 1)
    assert code == 2 and "--styles cannot be combined with --count, --label, --where or flags for styles" in text
    code, text = command(capsys, run, "sample", "--styles", tmp_path / "none.npz", "--out", tmp_path / "a.png")
    assert code == 2 and "none.npz does not exist. Create a projection file" in text
