"""Tests of the event files of TensorBoard, which are read record by record."""

import struct

from tensorboardX.proto import event_pb2

from jaxgan.monitoring.tensorboard import TensorBoardWriter


def read_events(folder):
    """Return the events of all files. A record consists of its length, a checksum, the event and another checksum."""
    events = []
    for file in sorted(folder.iterdir()):
        data = file.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            events.append(event_pb2.Event.FromString(data[12 : 12 + length]))  # pyright: ignore
            data = data[16 + length :]
    return events


def scalars(events):
    return {
        event.step: {value.tag: value.simple_value for value in event.summary.value}
        for event in events
        if event.HasField("summary")
    }


def test_the_scalars_of_a_step_are_one_event(tmp_path):
    writer = TensorBoardWriter(tmp_path / "board", 0)
    writer.write(1, {"d/loss": 0.5, "g/loss": 2.0})
    writer.write(2, {"d/loss": 0.25})
    writer.flush()
    events = read_events(tmp_path / "board")
    assert scalars(events) == {1: {"d/loss": 0.5, "g/loss": 2.0}, 2: {"d/loss": 0.25}}
    assert not any(event.HasField("session_log") for event in events)
    writer.close()


def test_a_resumed_run_hides_events_of_later_steps(tmp_path):
    writer = TensorBoardWriter(tmp_path / "board", 0)
    for step in (1, 2, 3):
        writer.write(step, {"x": 1.0})
    writer.close()
    resumed = TensorBoardWriter(tmp_path / "board", 2)
    resumed.write(3, {"x": 2.0})
    resumed.close()
    restarts = [event for event in read_events(tmp_path / "board") if event.HasField("session_log")]
    assert [event.step for event in restarts] == [3]
    assert restarts[0].session_log.status == event_pb2.SessionLog.START  # pyright: ignore
