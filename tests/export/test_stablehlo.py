"""Exported generators: the same samples as the run's, without jaxgan; damaged files are refused."""

import json
import subprocess
import sys
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import programs
from PIL import Image

from jaxgan import __main__ as console, export
from jaxgan.core.keys import keys_of, latents


def console_code(capsys, *arguments):
    try:
        console.main([str(a) for a in arguments])
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    message = capsys.readouterr()
    return code, message.out + message.err


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A run of two steps, its generator, and samples as the run's program draws them."""
    folder, silent = tmp_path_factory.mktemp("runs"), programs.Silent()
    run_dir, flags = folder / "run", programs.tiny("gan")
    assert programs.run(silent, "--steps", 2, "--run-dir", run_dir, *flags, experiment="gan")[0] == 0
    export_command = ["export", "--out", folder / "g.jaxgan"]
    sample_command = ["sample", "--out", folder / "own.npz", "--count", 5, "--seed", 3]
    for command in (export_command, sample_command):
        assert programs.run(silent, *command, "--run-dir", run_dir, experiment="gan")[0] == 0
    return folder / "g.jaxgan", np.load(folder / "own.npz")["images"]


@pytest.mark.integration
def test_samples_are_the_runs_own(exported, tmp_path, capsys):
    path, own = exported
    code, message = console_code(capsys, "sample", path, "--out", tmp_path / "a.npz", "--count", 5, "--seed", 3)
    assert code == 0 and "5 samples of" in message
    np.testing.assert_allclose(np.load(tmp_path / "a.npz")["images"], own, atol=1e-6)
    artefact = export.read_generator(path)
    assert artefact.metadata["experiment"] == "gan" and artefact.metadata["step"] == 2
    assert tuple(artefact.metadata["shape"]) == own.shape[1:]
    np.testing.assert_allclose(artefact.sample(3, 70)[:5], own, atol=1e-6)  # more than one batch
    code, _ = console_code(capsys, "sample", path, "--out", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert code == 0 and "Synthetic: made by jaxgan" in image.text["Description"]


@pytest.mark.integration
def test_without_jaxgan(exported, tmp_path):
    """In a process that cannot import jaxgan, flax or optax."""
    path, own = exported
    code = f"""
import sys, zipfile
for name in ("jaxgan", "flax", "optax"):
    sys.modules[name] = None
import jax, numpy as np
with zipfile.ZipFile({str(path)!r}) as file:
    draw, generate = (jax.export.deserialize(bytearray(file.read(name))) for name in ("draw", "generate"))
np.save({str(tmp_path / "a.npy")!r}, generate.call(draw.call(np.uint32(3), np.arange(5, dtype=np.int32))))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), own, atol=1e-6)


def small(path, classes=()):
    """Samples are their latents, or the class."""
    generate = (lambda z, label: z["z"] * 0 + label[:, None]) if classes else lambda z: z["z"]
    export.write_generator(
        path,
        lambda seed, indices: {"z": latents(keys_of(seed, indices), 3)},
        generate,
        classes=classes,
    )
    return export.read_generator(path)


@pytest.mark.integration
def test_classes_and_platforms(tmp_path):
    artefact = small(tmp_path / "a.jaxgan", ("one", "two", "three"))
    assert artefact.classes == ("one", "two", "three") and artefact.metadata["platforms"] == ["cpu", "cuda", "tpu"]
    np.testing.assert_array_equal(artefact.sample(0, 5)[:, 0], [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(artefact.sample(0, 3, label=2)[:, 0], [2, 2, 2])
    with pytest.raises(ValueError, match=r"`label` must be between 0 and 2 \(one, two, three\), got 3"):
        artefact.sample(0, 1, label=3)
    with pytest.raises(ValueError, match="`label` is 0, but this model has no classes"):
        small(tmp_path / "b.jaxgan").sample(0, 1, label=0)


def test_labels_are_written_and_voxels_are_no_pictures(tmp_path, capsys):
    small(tmp_path / "a.jaxgan", ("one", "two"))
    code, _ = console_code(capsys, "sample", tmp_path / "a.jaxgan", "--out", tmp_path / "a.npz", "--count", 3)
    assert code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["labels"], [0, 1, 0])
    voxels = tmp_path / "voxels.jaxgan"
    export.write_generator(
        voxels, lambda seed, i: jnp.zeros((i.shape[0], 2)), lambda z: jnp.zeros((z.shape[0], 2, 2, 2, 1))
    )
    code, said = console_code(capsys, "sample", voxels, "--out", tmp_path / "a.png")
    assert code == 2 and "samples of shape (2, 2, 2, 1) are no pictures; write an .npz" in said
    assert not (tmp_path / "a.png").exists()


def test_batches_of_one_size_alone(tmp_path):
    with pytest.raises(ValueError, match="does not take batches of any size"):
        export.write_generator(
            tmp_path / "a", lambda seed, i: jnp.zeros((i.shape[0], 2)), lambda z: z.reshape(int(z.shape[0]), 2)
        )


def rewritten(path, out, **changes):
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = changes.get(name.partition(".")[0], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return out


BAD = {
    "no zip": (lambda path, out: out.write_bytes(b"no") and out, "no exported generator, or a damaged one"),
    "cut off": (lambda path, out: out.write_bytes(path.read_bytes()[:500]) and out, "or a damaged one"),
    "no function": (lambda path, out: rewritten(path, out, generate=None), "or a damaged one"),
    "no metadata": (lambda path, out: rewritten(path, out, metadata=b"{"), "or a damaged one"),
    "newer": (lambda path, out: rewritten(path, out, metadata=json.dumps({"format": 2})), "it is of format 2"),
    "garbage": (lambda path, out: rewritten(path, out, draw=b"x" * 99), "no exported generator"),
}


@pytest.mark.integration
@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_damaged_is_reported(make, message, exported, tmp_path, capsys):
    code, said = console_code(capsys, "sample", make(exported[0], tmp_path / "bad.jaxgan"), "--out", tmp_path / "a.png")
    assert code == 2 and message in said and "Traceback" not in said
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--count", 0], "--count must be at least 1, got 0"),
        (["--seed", -1], "--seed must be between 0 and 4294967295, got -1"),
        (["--out", "a.jpeg2"], "--out must be a .png, .jpg, .jpeg or .npz, got a.jpeg2"),
        (["--label", 1], "--label is 1, but this model has no classes"),
    ],
)
def test_what_is_asked_wrongly_is_reported(flags, message, exported, capsys):
    code, said = console_code(capsys, "sample", exported[0], *flags)
    assert code == 2 and message in said


def brightened(weights, images, seed, indices, moments):
    """Images to which a weight is added, the images' indices, and the mean of another image if it is given."""
    mean = moments["g"] if moments else images.mean((1, 2, 3))
    return images + weights["g.params.bias"] + (indices + mean).reshape(-1, 1, 1, 1)


def direction(**changes):
    return export.TranslationDirection(
        weights={"g.params.bias": np.float32(2.0), "g.params.unused": np.zeros(3, np.float32)},
        run=brightened,
        moments=lambda weights, images, seed, indices: {"g": images.mean((1, 2, 3))},
        channels=3,
        multiple=4,
    )._replace(**changes)


def test_a_translators_directions_come_back(tmp_path):
    without_moments = direction(moments=lambda *inputs: {}, scale=2, channels=1)
    directions = {"there": direction(), "back": without_moments}
    export.write_translator(tmp_path / "a.jaxgan", directions, about={"name": "test"})
    artefact = export.read_translator(tmp_path / "a.jaxgan")
    assert isinstance(artefact, export.TranslatorArtefact)
    assert artefact.metadata["name"] == "test" and list(artefact.directions) == ["there", "back"]
    there, back = artefact.directions.values()
    assert (there.channels, there.multiple, there.scale) == (3, 4, 1)
    assert (back.channels, back.multiple, back.scale) == (1, 4, 2)
    images = np.random.default_rng(0).normal(size=(2, 8, 12, 3)).astype(np.float32)
    inputs = (there.weights, images, np.uint32(0), np.arange(2, dtype=np.int32))
    np.testing.assert_allclose(there.run(*inputs, {}), brightened(*inputs, {}), atol=1e-5)
    moments = there.moments(*inputs)
    np.testing.assert_allclose(moments["g"], images.mean((1, 2, 3)), atol=1e-6)
    other = {"g": np.array([5.0, 7.0], np.float32)}
    np.testing.assert_allclose(there.run(*inputs, other), brightened(*inputs, other), atol=1e-5)
    grey = (*inputs[:1], images[..., :1], *inputs[2:])
    assert back.moments(*grey) == {}
    np.testing.assert_allclose(back.run(*grey, {}), brightened(*grey, {}), atol=1e-5)


def test_a_translator_of_one_size_alone(tmp_path):
    def run(weights, images, *_):
        return images.reshape(len(images), 8, 8, 3)

    with pytest.raises(ValueError, match="there does not take images of any number and size"):
        export.write_translator(tmp_path / "a.jaxgan", {"there": direction(run=run)})
