"""Provide the experiments of jaxgan, programs that each reproduce a published result.

Import an experiment as a module: ``from jaxgan.experiments import dcgan``. If jaxgan is installed from a wheel, the
files of the experiments are in this folder. In a checkout of the repository, they are in the folder ``experiments/``
beside the package, and ``python -m experiments.dcgan`` runs one of them.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent
if not (_FOLDER / "dcgan.py").exists():
    __path__.append(str(_FOLDER.parents[1] / "experiments"))
