"""TensorBoard's event files."""

# Protobuf makes the classes of its modules as it imports them.
# pyright: reportAttributeAccessIssue=false

import time
from collections.abc import Mapping
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto import event_pb2, summary_pb2


class TensorBoardWriter:
    """Writes scalars to event files, one event for each step.

    tensorboardX's SummaryWriter is not used: on a full disk its thread ends without an error, and the run then waits
    for it forever.

    Args:
      directory: made if it is not there; events are added to what is there.
      start: the step that the run starts or resumes after. TensorBoard then hides the events of later steps, which a
        run wrote before it was killed.
    """

    def __init__(self, directory: Path, start: int):
        directory.mkdir(exist_ok=True)
        self._events = EventsWriter(str(directory / "events"), f".{start}")
        if start:
            restart = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._events.write_event(event_pb2.Event(wall_time=time.time(), step=start + 1, session_log=restart))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Add the scalars of a step, by name."""
        values = [summary_pb2.Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        summary = summary_pb2.Summary(value=values)
        self._events.write_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))

    def flush(self) -> None:
        """Give every event to the operating system."""
        self._events.flush()

    def close(self) -> None:
        self._events.close()
