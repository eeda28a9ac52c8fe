"""Command lines with mistakes or with flags of other tools, and the error messages that correct them."""

import json

import pytest

from jaxgan.cli import main as console

# The command line after ``jaxgan``, and a part of the output.
TYPED = [
    # Misspelt commands, experiments and flags.
    ("trian dcgan", "`jaxgan` has no command 'trian'. Did you mean `jaxgan train`?"),
    ("smaple runs/dcgan", "`jaxgan` has no command 'smaple'. Did you mean `jaxgan sample`?"),
    ("train dcgna", "There is no experiment 'dcgna'. Did you mean dcgan?"),
    ("train stylegan", "There is no experiment 'stylegan'. Did you mean stylegan2?"),
    ("train diffusion", "There is no experiment 'diffusion'. The experiments are cgan, ctgan, cyclegan, dcgan,"),
    ("train dcgan --augmnt ada", "This command has no flag --augmnt. Did you mean --augment?"),
    ("train dcgan --batchsize 64", "This command has no flag --batchsize. Use --batch-size instead."),
    ("train stylegan2 --preset cifer", "got 'cifer'. Did you mean cifar?"),
    ("sample runs/dcgan --cuont 9", "This command has no flag --cuont. Did you mean --count?"),
    # Missing arguments, and arguments in the wrong place.
    ("", "usage: jaxgan COMMAND"),
    ("train", "`jaxgan train` requires the name of an experiment, as in `jaxgan train dcgan`."),
    ("dcgan --steps 100", "'dcgan' is an experiment. The first argument must be a command, as in `jaxgan train dcgan --steps 100`."),
    ("train --data photos/ dcgan", "The name of the experiment must come before the flags, as in `jaxgan train dcgan --data photos/`."),
    ("--data photos/ train dcgan", "The flag --data must come after the command, as in `jaxgan train ... --data`."),
    ("train dcgan photos/", "'photos/' does not follow a flag. Did you mean `jaxgan train dcgan --data photos/`?"),
    ("train --model dcgan --data photos/", "The name of the experiment must come before the flags, as in `jaxgan train dcgan --data photos/`."),
    ("train mine --steps 5", "mine.py is not an experiment of jaxgan. Run it with `python mine.py --steps 5`."),
    ("train dcgan holiday", "'holiday' does not follow a flag. Did you mean `jaxgan train dcgan --data holiday`?"),
    ("train dcgan data=photos/", "'data=photos/' is not a flag. Write it with hyphens: `jaxgan train dcgan --data photos/`."),
    ("train dcgan --mirror 1", "'1' does not follow a flag that takes a value. Flags such as --mirror are passed without a value."),
    ("train sagan", "There is no experiment 'sagan'. Did you mean sngan?"),
    ("train mine.py --steps 5", "mine.py is not an experiment of jaxgan. Run it with `python mine.py --steps 5`."),
    ("sample --count 9", "`jaxgan sample` requires the directory of a run before its flags, as in `jaxgan sample RUN`."),
    ("sample runs/none", "it has no config.json. The runs in this directory are runs/dcgan, runs/mine."),
    ("sample grid.png", "grid.png is a file, but `jaxgan sample` requires the directory of a run."),
    ("sample runs/mine --count 9", "Use its own program: `python mine.py sample --run-dir runs/mine`."),
    ("resume", "as in `jaxgan resume RUN`. The runs in this directory are runs/dcgan, runs/mine."),
    ("resume runs/dcgan --fresh", "To start a run over, train it with --fresh, as in `jaxgan train EXPERIMENT --fresh`."),
    ("resume runs/dcgan --batch-size 8", "This command has no flag --batch-size."),
    # Values.
    ("train dcgan --steps many", "--steps must be a whole number, got 'many'."),
    ("train dcgan --steps", "--steps must be followed by a value."),
    ("train dcgan --mirror=1", "--mirror does not take a value. Write --mirror alone, or leave it out."),
    ("train dcgan --norm btch", "--norm must be one of batch, none, got 'btch'. Did you mean batch?"),
    # PyTorch's examples.
    ("train dcgan --lr 0.0002", "This command has no flag --lr. Use --learning-rate instead."),
    ("train dcgan --epochs 25", "pass --steps, which is the number of epochs times the number of examples, divided by --batch-size."),
    ("train dcgan --dataroot photos/", "This command has no flag --dataroot. Use --data instead."),
    ("train dcgan --imageSize 64", "This command has no flag --imageSize. Use --resolution instead."),
    ("train dcgan --nz 100 --ngf 64", "This command has no flag --nz. Use --z-dim instead. This command has no flag --ngf."),
    ("train dcgan --manualSeed 1", "This command has no flag --manualSeed. Use --seed instead."),
    ("train dcgan --workers 4", "Batches are loaded ahead in the same process, so there are no worker processes."),
    ("train dcgan --cuda", "Training uses all accelerators that JAX finds. Pass --devices N to use only N of them;"),
    ("train dcgan --resume", "To resume it with its own settings, run `jaxgan resume RUN`."),
    ("train wgan --n_critic 5 --clip_value 0.01", "This command has no flag --clip-value. Use --weight-clip instead."),
    # StyleGAN's programs.
    ("train stylegan2 --outdir runs/x", "This command has no flag --outdir. Use --run-dir instead."),
    ("train stylegan2 --cfg auto", "To use published settings, pass --preset NAME; to read settings from a file, pass --config FILE;"),
    ("train stylegan2 --kimg 25000", "pass --steps, which is the number of kimg times 1000, divided by --batch-size."),
    ("train stylegan2 --gamma 10 --aug ada", "This command has no flag --gamma. Use --r1-gamma instead. This command has no flag --aug."),
    ("train stylegan2 --gpus 8 --batch 32", "This command has no flag --batch. Use --batch-size instead."),
    ("train stylegan2 --cond 1", "This command has no flag --cond. Use --conditional instead."),
    ("train stylegan2 --snap 10", "This command has no flag --snap. Use --checkpoint-every instead."),
    ("generate runs/dcgan --trunc 0.7", "`jaxgan` has no command 'generate'. Did you mean `jaxgan sample`?"),
    ("sample runs/dcgan --trunc 0.7", "This command has no flag --trunc. Use --truncation-psi instead."),
    ("sample runs/dcgan --seeds 1-9", "Pass one number as --seed, and the number of samples as --count."),
    ("sample runs/dcgan --outdir made", "This command has no flag --outdir. Use --out instead."),
    ("interpolate runs/dcgan", "To generate an interpolation, run `jaxgan sample RUN --out between.gif`."),
    ("dataset_tool --source photos/", "Folders and zip files of images need no preparation."),
    ("new my-gan", "NAME must be a Python name (letters, digits and underscores), got 'my-gan'. Did you mean my_gan?"),
    ("calc_metrics runs/dcgan", "`jaxgan` has no command 'calc_metrics'. Did you mean `jaxgan evaluate`?"),
    # pytorch-CycleGAN-and-pix2pix, StudioGAN and PyTorch-GAN.
    ("train cyclegan --name maps --gpu_ids 0", "This command has no flag --name. Use --run-dir instead."),
    ("train cyclegan --n_epochs 100", "The length of training is set in steps, not in epochs: pass --steps,"),
    ("train cyclegan --load_size 286", "This command has no flag --load-size. Use --resolution instead."),
    ("train dcgan -t -cfg a.yaml -data photos/", "The command `jaxgan train EXPERIMENT` trains without it."),
    ("train dcgan --sample_interval 400", "This command has no flag --sample-interval. Use --sample-every instead."),
    ("train dcgan --allow-tf32 1", "pass --matmul-precision and --penalty-precision"),
    ("train dcgan --mixed_precision", "To compute in half precision, pass --compute-dtype bfloat16."),
    ("train dcgan --wandb", "Metrics are written to metrics.jsonl and tensorboard/ in the run's directory."),
]  # fmt: skip


@pytest.fixture
def working_directory(tmp_path, monkeypatch):
    """A working directory with a run of an experiment of jaxgan, a run of a custom program, and an image."""
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
def test_each_mistake_is_corrected(line, answer, working_directory, capsys, monkeypatch):
    monkeypatch.setattr("jaxgan.cli.commands.execute", lambda *_: pytest.fail("the command was executed"))
    code, text = type_in(capsys, line)
    assert answer in text, text
    assert "Traceback" not in text
    assert code == (2 if line else 0)
    if line:
        first, *more = text.splitlines()
        assert first.startswith("error: ") and all(line.startswith("help: jaxgan ") for line in more)


def test_each_help_command_in_an_error_works(working_directory, capsys):
    for line, _ in TYPED[1:]:
        _, text = type_in(capsys, line)
        for command in [line.removeprefix("help: jaxgan ") for line in text.splitlines() if line.startswith("help: ")]:
            code, text = type_in(capsys, command)
            assert code == 0 and "usage: jaxgan" in text


@pytest.mark.parametrize("line", ["--version", "-V", "version"])
def test_the_version_is_printed(line, capsys):
    from jaxgan.version import __version__

    assert type_in(capsys, line) == (0, f"jaxgan {__version__}\n")


def test_experiments_can_be_typed_with_hyphens(working_directory, capsys):
    assert type_in(capsys, "train wgan-gp --lr 1") == type_in(capsys, "train wgan_gp --lr 1")
    _, text = type_in(capsys, "help train")
    assert "usage: jaxgan train EXPERIMENT" in text
