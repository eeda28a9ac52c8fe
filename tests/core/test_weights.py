"""Tests of the download of weights, with a server on the loopback."""

import argparse
import hashlib
import http.server
import threading

import pytest

from jaxgan import __main__ as console
from jaxgan.cli import tools
from jaxgan.cli.weights import show_or_fetch
from jaxgan.core import weights

CONTENT = bytes(range(256)) * 20_000  # 5 MB


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``CONTENT`` as /file, and other answers under other names. ``ranges`` lists the requested ranges."""

    ranges: list = []  # noqa: RUF012

    def do_GET(self):
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            self.end_headers()
            return
        if self.path == "/none":
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.path != "/whole" else 0
        content = {"/other": CONTENT[:-1] + b"?", "/long": CONTENT + b"?"}.get(self.path, CONTENT)[start:]
        self.send_response(206 if start else 200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path == "/broken" else content)
        if self.path == "/endless":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.handle_error = lambda *_: None  # the client closes connections early
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


@pytest.fixture
def known(server, tmp_path, monkeypatch):
    """Returns a function from a path of the server to a ``WeightsFile``, and allows http."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(weights, "SCHEMES", ("http", "https"))
    Handler.ranges.clear()

    def describe(path):
        digest = hashlib.sha256(CONTENT).hexdigest()
        return weights.WeightsFile("inception", server + path, digest, len(CONTENT), "tests")

    return describe


def part_of(file):
    return file.path.with_name(file.path.name + ".part")


def test_a_file_is_downloaded_and_checked(known):
    file, calls = known("/file"), []
    assert weights.state(file) == "missing"
    weights.fetch(file, lambda *call: calls.append(call))
    assert weights.state(file) == "present" and file.path.read_bytes() == CONTENT and not part_of(file).exists()
    assert calls[-1] == ("inception", len(CONTENT), len(CONTENT)) and len(calls) > 1
    file.path.write_bytes(CONTENT[:-1])
    assert weights.state(file) == "damaged"


@pytest.mark.parametrize(("path", "ranges"), [("/file", ["bytes=1000-"]), ("/whole", ["bytes=1000-"])])
def test_an_interrupted_download_is_continued(path, ranges, known):
    file = known(path)
    file.path.parent.mkdir(parents=True)
    part_of(file).write_bytes(CONTENT[:1000])
    weights.fetch(file)
    assert Handler.ranges == ranges and weights.state(file) == "present"


def test_a_broken_connection_keeps_the_part(known):
    file = known("/broken")
    with pytest.raises(OSError, match=r"To (continue it, run the same|use it without)|cannot be downloaded"):
        weights.fetch(file)
    assert part_of(file).is_file() and not file.path.exists()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/other", "has the SHA-256 .*, but .* is expected. It was deleted"),
        ("/long", "has 5,120,001 bytes, but 5,120,000 are expected, so it was not downloaded"),
        ("/none", "the server answered 404 Not Found"),
        ("/redirect", "ftp://127.0.0.1/file cannot be downloaded, because only http and https is allowed"),
    ],
)
def test_a_wrong_answer_leaves_no_file(path, message, known):
    file = known(path)
    with pytest.raises(OSError, match=message):
        weights.fetch(file)
    assert not file.path.exists()
    assert not part_of(file).exists() or part_of(file).stat().st_size == 0


def test_no_more_bytes_than_expected_are_stored(known):
    """A server that does not announce the size sends twice as many bytes."""
    file = known("/endless")
    weights.fetch(file)
    assert file.path.read_bytes() == CONTENT


def test_only_https_is_allowed(known, monkeypatch):
    monkeypatch.setattr(weights, "SCHEMES", ("https",))
    with pytest.raises(OSError, match="cannot be downloaded, because only https is allowed"):
        weights.fetch(known("/file"))
    assert not Handler.ranges and all(file.url.startswith("https://") for file in weights.KNOWN.values())


def test_the_command_lists_and_downloads(known, monkeypatch, capsys):
    file = known("/file")
    monkeypatch.setitem(weights.KNOWN, "inception", file)
    console.main(["weights"])
    listed = capsys.readouterr().out
    assert "missing; to download it, run `jaxgan weights inception`" in listed
    assert file.sha256 in listed and file.url in listed and str(file.path) in listed and not Handler.ranges
    for said in ("was downloaded", "is present"):
        console.main(["weights", "inception"])
        assert f"{file.path} {said}, and its SHA-256 is correct.\n" == capsys.readouterr().out
    assert len(Handler.ranges) == 1
    console.main(["weights"])
    assert "  present\n" in capsys.readouterr().out


def test_the_command_replaces_a_damaged_file(known, monkeypatch, capsys):
    file = known("/file")
    monkeypatch.setitem(weights.KNOWN, "inception", file)
    file.path.parent.mkdir(parents=True)
    file.path.write_bytes(b"damaged")
    show_or_fetch(argparse.Namespace(name=None))
    assert "  damaged; to download it, run `jaxgan weights inception`\n" in capsys.readouterr().out
    show_or_fetch(argparse.Namespace(name="inception"))
    assert file.path.read_bytes() == CONTENT


def test_the_command_says_in_one_sentence_that_there_is_no_network(known, monkeypatch, capsys):
    file = known("/file")._replace(url="http://127.0.0.1:1/file")
    monkeypatch.setitem(weights.KNOWN, "inception", file)
    with pytest.raises(SystemExit) as stop:
        console.main(["weights", "inception"])
    error = capsys.readouterr().err
    assert stop.value.code == 1 and len(error.splitlines()) == 1
    assert "http://127.0.0.1:1/file cannot be downloaded: Connection refused. To use it without a network" in error


def test_the_command_line_offers_every_file():
    assert tuple(weights.KNOWN) == tools.WEIGHTS
