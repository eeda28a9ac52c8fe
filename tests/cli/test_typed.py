"""What people type, who come from elsewhere or make a mistake, and what they are told to type instead."""

import json

import pytest

from jaxgan.cli import main as console

# What is typed after ``jaxgan``, and the answer.
TYPED = [
    # Misspelt commands, experiments and flags.
    ("trian dcgan", "jaxgan has no command trian; did you mean jaxgan train?"),
    ("smaple runs/dcgan", "jaxgan has no command smaple; did you mean jaxgan sample?"),
    ("train dcgna", "there is no experiment dcgna; did you mean dcgan?"),
    ("train stylegan", "there is no experiment stylegan; did you mean stylegan2?"),
    ("train diffusion", "there is no experiment diffusion; there are cgan, cyclegan, dcgan,"),
    ("train dcgan --augmnt ada", "--augmnt is not a flag; did you mean --augment?"),
    ("train dcgan --batchsize 64", "--batchsize is not a flag; it is called --batch-size here."),
    ("train stylegan2 --preset cifer", "got 'cifer'; did you mean cifar?"),
    ("sample runs/dcgan --cuont 9", "--cuont is not a flag; did you mean --count?"),
    # Things in the wrong place.
    ("", "usage: jaxgan COMMAND"),
    ("train", "train needs the name of an experiment, for example: jaxgan train dcgan"),
    ("dcgan --steps 100", "dcgan is an experiment; a command comes before it: jaxgan train dcgan --steps 100"),
    ("train --data photos/ dcgan", "the experiment comes before the flags: jaxgan train dcgan --data photos/"),
    ("--data photos/ train dcgan", "--data stands before the command; flags follow it: jaxgan train"),
    ("train dcgan photos/", "photos/ needs a flag before it: jaxgan train dcgan --data photos/."),
    ("train --model dcgan --data photos/", "the experiment comes before the flags: jaxgan train dcgan --data photos/"),
    ("train mine --steps 5", "mine is a program of its own: python mine.py --steps 5"),
    ("train dcgan holiday", "holiday needs a flag before it: jaxgan train dcgan --data holiday."),
    ("train dcgan data=photos/", "data=photos/ needs hyphens before it: jaxgan train dcgan --data photos/."),
    ("train dcgan --mirror 1", "'1' was not expected; a flag for yes or no stands alone, as --mirror, or is left out."),
    ("train sagan", "there is no experiment sagan; did you mean sngan?"),
    ("train mine.py --steps 5", "mine.py is a program of its own: python mine.py --steps 5"),
    ("sample --count 9", "sample needs the directory of a run, before its flags: jaxgan sample RUN"),
    ("sample runs/none", "runs/none holds no run (no config.json); there are runs/dcgan, runs/mine."),
    ("sample grid.png", "grid.png is a file; sample takes the directory of a run."),
    ("sample runs/mine --count 9", "use its own program: python mine.py sample --run-dir runs/mine"),
    ("resume", "resume needs the directory of a run, before its flags: jaxgan resume RUN; there are runs/dcgan,"),
    ("resume runs/dcgan --fresh", "a run is started over by the command train, jaxgan train EXPERIMENT --fresh."),
    ("resume runs/dcgan --batch-size 8", "--batch-size is not a flag of this command."),
    # Values.
    ("train dcgan --steps many", "--steps takes a whole number, got 'many'."),
    ("train dcgan --steps", "--steps needs a value after it."),
    ("train dcgan --mirror=1", "--mirror takes no value; write --mirror alone, or leave it out."),
    ("train dcgan --norm btch", "--norm must be one of batch, none, got 'btch'; did you mean batch?"),
    # PyTorch's examples.
    ("train dcgan --lr 0.0002", "--lr is not a flag; it is called --learning-rate here."),
    ("train dcgan --epochs 25", "training is counted in steps, not in epochs: --steps is the epochs times"),
    ("train dcgan --dataroot photos/", "--dataroot is not a flag; it is called --data here."),
    ("train dcgan --imageSize 64", "--imageSize is not a flag; it is called --resolution here."),
    ("train dcgan --nz 100 --ngf 64", "--nz is not a flag; it is called --z-dim here. --ngf is not a flag; it is called"),
    ("train dcgan --manualSeed 1", "--manualSeed is not a flag; it is called --seed here."),
    ("train dcgan --workers 4", "batches are read ahead in the same process, so there are no workers to count"),
    ("train dcgan --cuda", "JAX uses all accelerators that it finds: --devices N takes fewer"),
    ("train dcgan --resume", "jaxgan resume RUN does it with the run's own settings."),
    ("train wgan --n_critic 5 --clip_value 0.01", "--clip-value is not a flag; it is called --weight-clip here."),
    # StyleGAN's programs.
    ("train stylegan2 --outdir runs/x", "--outdir is not a flag; it is called --run-dir here."),
    ("train stylegan2 --cfg auto", "--preset NAME takes published settings, and --config FILE those of a file"),
    ("train stylegan2 --kimg 25000", "--steps is the thousands of images times 1000, divided by --batch-size."),
    ("train stylegan2 --gamma 10 --aug ada", "--gamma is not a flag; it is called --r1-gamma here. --aug is not a flag;"),
    ("train stylegan2 --gpus 8 --batch 32", "it is called --batch-size here."),
    ("train stylegan2 --cond 1", "--cond is not a flag; it is called --conditional here."),
    ("train stylegan2 --snap 10", "--snap is not a flag; it is called --checkpoint-every here."),
    ("generate runs/dcgan --trunc 0.7", "jaxgan has no command generate; did you mean jaxgan sample?"),
    ("sample runs/dcgan --trunc 0.7", "--trunc is not a flag; it is called --truncation-psi here."),
    ("sample runs/dcgan --seeds 1-9", "--seed takes one number, and --count is how many samples are drawn with it."),
    ("sample runs/dcgan --outdir made", "--outdir is not a flag; it is called --out here."),
    ("interpolate runs/dcgan", "jaxgan sample RUN --out between.gif draws an interpolation."),
    ("dataset_tool --source photos/", "folders and zips of pictures are read as they are"),
    ("new my-gan", "NAME has to be a name in Python, of letters, digits and underscores, got 'my-gan'; did you mean my_gan?"),
    ("calc_metrics runs/dcgan", "jaxgan has no command calc_metrics; did you mean jaxgan evaluate?"),
    # pytorch-CycleGAN-and-pix2pix, StudioGAN and PyTorch-GAN.
    ("train cyclegan --name maps --gpu_ids 0", "--name is not a flag; it is called --run-dir here."),
    ("train cyclegan --n_epochs 100", "training is counted in steps, not in epochs"),
    ("train cyclegan --load_size 286", "--load-size is not a flag; it is called --resolution here."),
    ("train dcgan -t -cfg a.yaml -data photos/", "training is the command itself: jaxgan train EXPERIMENT."),
    ("train dcgan --sample_interval 400", "--sample-interval is not a flag; it is called --sample-every here."),
    ("train dcgan --mixed_precision", "--compute-dtype bfloat16 computes in half precision."),
    ("train dcgan --wandb", "metrics are written to metrics.jsonl and tensorboard/ in the run's directory."),
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a run of an experiment of jaxgan, one of a user's program, and a picture."""
    for name, program in (("dcgan", "jaxgan train dcgan"), ("mine", "python mine.py")):
        (tmp_path / "runs" / name).mkdir(parents=True)
        record = {"experiment": name, "config": {}, "program": program}
        (tmp_path / "runs" / name / "config.json").write_text(json.dumps(record))
    (tmp_path / "grid.png").write_bytes(b"")
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "holiday").mkdir()
    monkeypatch.chdir(tmp_path)


def type_in(capsys, line):
    with pytest.raises(SystemExit) as stop:
        console.main(line.split())
    captured = capsys.readouterr()
    return int(stop.value.code or 0), captured.out + captured.err


@pytest.mark.parametrize(("line", "answer"), TYPED, ids=[line or "nothing" for line, _ in TYPED])
def test_what_is_typed_is_answered(line, answer, place, capsys, monkeypatch):
    monkeypatch.setattr("jaxgan.cli.commands.execute", lambda *_: pytest.fail("it was run"))
    code, text = type_in(capsys, line)
    assert answer in text, text
    assert "Traceback" not in text
    assert code == (2 if line else 0)
    if line:
        first, *more = text.splitlines()
        assert first.startswith("error: ") and all(line.startswith("help: jaxgan ") for line in more)


def test_the_help_that_is_named_is_there(place, capsys):
    for line, _ in TYPED[1:]:
        _, text = type_in(capsys, line)
        for named in [line.removeprefix("help: jaxgan ") for line in text.splitlines() if line.startswith("help: ")]:
            code, text = type_in(capsys, named)
            assert code == 0 and "usage: jaxgan" in text


@pytest.mark.parametrize("line", ["--version", "-V", "version"])
def test_the_version_is_told(line, capsys):
    from jaxgan.version import __version__

    assert type_in(capsys, line) == (0, f"jaxgan {__version__}\n")


def test_names_with_hyphens_are_those_with_underscores(place, capsys):
    assert type_in(capsys, "train wgan-gp --lr 1") == type_in(capsys, "train wgan_gp --lr 1")
    _, text = type_in(capsys, "help train")
    assert "usage: jaxgan train EXPERIMENT" in text
