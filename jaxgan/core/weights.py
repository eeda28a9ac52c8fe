"""The files of weights that jaxgan can use but does not contain: where they come from, and how they are downloaded.

Nothing in jaxgan downloads a file unless the user asks for it with ``jaxgan weights``.
"""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from jaxgan.core import system

SCHEMES = ("https",)  # allowed schemes of the addresses, also after a redirection
TIMEOUT = 20.0  # seconds without a byte after which a download fails
CHUNK = 2**20  # bytes that are read at once

Progress = Callable[[str, int, int], None]  # (name, bytes so far, bytes in total)


class WeightsFile(NamedTuple):
    """A file of weights.

    Attributes:
      name: the name for ``jaxgan weights``.
      url: the address of the file.
      sha256: the SHA-256 of the file.
      size: the number of bytes of the file.
      use: what the file is for, and the flag that takes it.
    """

    name: str
    url: str
    sha256: str
    size: int
    use: str

    @property
    def path(self) -> Path:
        """The path to which ``fetch`` writes the file."""
        return system.cache_directory() / "weights" / self.url.rpartition("/")[2]

    @property
    def source(self) -> str:
        """A sentence for messages that says how to get the file."""
        return (
            f"To download the file, run `jaxgan weights {self.name}`; or save {self.url} ({self.size / 1e6:.0f} MB, "
            f"SHA-256 {self.sha256}) as {self.path}."
        )


INCEPTION = WeightsFile(
    "inception",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    95_628_359,
    "FID, KID and other metrics (--weights)",
)
VGG19 = WeightsFile(
    "vgg19",
    "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
    "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    574_673_361,
    "content loss of srgan (--content-file)",
)
KNOWN = {file.name: file for file in (INCEPTION, VGG19)}


def state(file: WeightsFile) -> Literal["present", "missing", "damaged"]:
    """Return whether a file is present with the right content. This reads the complete file."""
    if not file.path.is_file():
        return "missing"
    return "present" if _digest(file.path) == file.sha256 else "damaged"


def fetch(file: WeightsFile, progress: Progress = lambda *_: None) -> None:
    """Download a file, and check its SHA-256 before it gets its name. An interrupted download is continued.

    Args:
      file: the file.
      progress: called after each part with the name, the number of bytes so far and the number of all bytes.

    Raises:
      OSError: if the file cannot be downloaded or written, or if its content is not the expected one.
    """
    part = file.path.with_name(file.path.name + ".part")
    try:
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as out:
            if not system.try_lock(out):
                raise OSError(f"Another process is downloading {file.path}. Wait until it has finished.")
            _download(file, out, progress)
    except urllib.error.HTTPError as error:
        raise OSError(f"{file.url} cannot be downloaded: the server answered {error.code} {error.reason}.") from None
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise OSError(
            f"{file.url} cannot be downloaded: {getattr(reason, 'strerror', None) or str(reason) or 'no answer'}. To "
            f"use it without a network, download it on another machine and save it as {file.path}."
        ) from None
    if part.stat().st_size < file.size:
        raise OSError(
            f"The download of {file.url} ended after {part.stat().st_size:,} of {file.size:,} bytes. To continue it, "
            "run the same command again."
        )
    found = _digest(part)
    if found != file.sha256:
        part.unlink()
        raise OSError(
            f"The file that {file.url} sent has the SHA-256 {found}, but {file.sha256} is expected. It was deleted. "
            "Run the same command again, or tell the developers if the file was replaced."
        )
    os.replace(part, file.path)


def _download(file: WeightsFile, out, progress: Progress) -> None:
    """Append the missing bytes to an open file, and never more than the expected number of bytes."""
    done = out.tell()
    if done >= file.size:  # complete, or of another file
        return
    request = urllib.request.Request(file.url, headers={"Range": f"bytes={done}-"} if done else {})
    _check_scheme(file.url)
    with urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT) as answer:
        if answer.status != 206:  # the server sends the complete file
            out.truncate(0)
            done = 0
        announced = answer.headers.get("Content-Length")
        if announced is not None and done + int(announced) != file.size:
            raise OSError(
                f"{file.url} has {done + int(announced):,} bytes, but {file.size:,} are expected, so it was not "
                "downloaded."
            )
        while done < file.size and (chunk := answer.read(min(CHUNK, file.size - done))):
            out.write(chunk)
            done += len(chunk)
            progress(file.name, done, file.size)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows only redirections to addresses with a scheme in ``SCHEMES``."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str) -> None:
    if urlsplit(url).scheme not in SCHEMES:
        raise OSError(f"{url} cannot be downloaded, because only {' and '.join(SCHEMES)} is allowed.")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
