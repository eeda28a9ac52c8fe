"""The experiments of jaxgan, one module for each published result: ``from jaxgan.experiments import dcgan``.

An installed jaxgan has their files in this folder. In a checkout they are in the folder ``experiments/`` beside the
package, where ``python -m experiments.dcgan`` runs them.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent
if not (_FOLDER / "dcgan.py").exists():
    __path__.append(str(_FOLDER.parents[1] / "experiments"))
