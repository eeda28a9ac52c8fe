"""Write the event files of TensorBoard."""

# Protobuf creates the classes of its modules at import time, where pyright does not find them.
# pyright: reportAttributeAccessIssue=false

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2

from jaxgan.core.files import naming


class TensorBoardWriter:
    """Writes scalars to event files, one event per step.

    This class does not use the SummaryWriter of tensorboardX. If the disk is full, the thread of a SummaryWriter ends
    without an error, and the run would then wait for the thread forever.

    Args:
      directory: the directory of the event files, which is created if it is missing. Existing files are not changed.
      start: the step that the run starts or resumes after. If an earlier process wrote events of later steps before it
        was killed, TensorBoard hides these events.
    """

    def __init__(self, directory: Path, start: int):
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._events = EventsWriter(str(directory / "events"), f".{start}")
        if start:
            restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._events.write_event(event_pb2.Event(wall_time=time.time(), step=start + 1, session_log=restart))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Write the scalars of a step.

        Args:
          step: the number of steps taken so far.
          scalars: dictionary from the names of charts to numbers.
        """
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        summary = summary_pb2.Summary(value=values)
        with naming(self._directory):
            self._events.write_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Pass all events to the operating system."""
        with naming(self._directory):
            self._events.flush()

    def close(self) -> None:
        """Write all events that are still in memory, and close the file."""
        with naming(self._directory):
            self._events.close()
