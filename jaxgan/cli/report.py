"""The command ``report``: write the report of a run."""

import dataclasses

from jaxgan.cli.experiment_program import ExperimentProgram
from jaxgan.core.text import say
from jaxgan.monitoring.run_directory import read_config
from jaxgan.reporting import report


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """Write report.html, a page with the metrics and samples of a run. The run may still be training.

    Attributes:
      run_dir: Directory of the run. By default, runs/<experiment>.

    Examples:
      COMMAND
    """

    run_dir: str | None = None

    def execute(self, program: ExperimentProgram) -> None:
        path = program.path_of_run(self.run_dir)
        read_config(path, program.name, program.config_class)  # raises if there is no run of this experiment
        say(f"report: {report.write(path)}")
