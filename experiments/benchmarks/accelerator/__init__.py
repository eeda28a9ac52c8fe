"""Measure in a few minutes how jaxgan runs on a GPU or TPU: ``python -m experiments.benchmarks.accelerator``.

``__main__`` reads the flags. ``plan`` lists the measurements in the order of their importance, each with a share of the
time. ``supervisor`` sends them, one after the other, to a process that ``worker`` defines, so that a crash or a
measurement that takes too long ends this process only. ``record`` writes each result immediately. The measurements are
in ``products``, ``maps``, ``steps``, ``pytorch``, ``calls`` and ``data``.
"""
