"""Write and read the zip file of an exported model: ``metadata.json``, the other members, and their digests.

The entry ``sha256`` of the metadata is a dictionary from the names of all members to their SHA-256 digests. The digest
of ``metadata.json`` is that of its other entries. The digests show that a file is complete and that no part of it was
changed or exchanged. Who changes a file on purpose can also change its digests, so they do not show who wrote it. The
files of earlier versions have no digests.
"""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxgan.core.files import replacing
from jaxgan.core.json_files import Form, parse_json
from jaxgan.core.text import quote
from jaxgan.core.zip_files import check_sizes, open_zip

METADATA = "metadata.json"
DIGESTS = "sha256"  # the entry of the metadata with the digests
MAX_METADATA_BYTES = 2**23  # largest size of metadata.json that is read; 20,000 names of classes need 2**19
FIX = "Export the model again."


def write_members(path: str | Path, metadata: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write a file, and replace the file at ``path`` atomically.

    Args:
      path: the file.
      metadata: the entries of the metadata. Their values must be representable in JSON.
      members: a dictionary from the names of the other members to their contents.

    Raises:
      OSError: if the file cannot be written.
    """
    text = json.dumps({**metadata, DIGESTS: _digests(metadata, members)}, indent=2)
    with replacing(Path(path)) as out, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in {METADATA: text.encode(), **members}.items():
            file.writestr(name, content)


def read_members(path: str | Path, form: Form) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the metadata of a file without the digests, and a dictionary from the names of members to their contents.

    Args:
      path: the file.
      form: the form of the metadata, see ``jaxgan.core.json_files``.

    Raises:
      ValueError: if the file is damaged, if a digest differs, or if the members are too large to be decompressed.
      OSError: if the file cannot be opened.
    """
    with open_zip(path, str(path), ".jaxgan") as file:
        members = {member.filename: member for member in file.infolist()}
        if METADATA not in members:
            raise ValueError(f"it has no member {METADATA}, so it is not a model that jaxgan exported.")
        if members[METADATA].file_size > MAX_METADATA_BYTES:
            raise ValueError(f"its metadata are larger than {MAX_METADATA_BYTES:,} bytes.")
        check_sizes(list(members.values()))
        contents = {name: file.read(member) for name, member in members.items()}
    metadata = parse_json(contents.pop(METADATA), f"{path}: {METADATA}", {**form, f"{DIGESTS}?": {str: str}}, fix=FIX)
    digests = metadata.pop(DIGESTS, None)
    if digests is not None:
        _check_digests(digests, _digests(metadata, contents), path)
    return metadata, contents


def _digests(metadata: Mapping[str, Any], members: Mapping[str, bytes]) -> dict[str, str]:
    """Return a dictionary from the names of all members to their digests."""
    entries = json.dumps(metadata, sort_keys=True).encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in {METADATA: entries, **members}.items()}


def _check_digests(expected: Mapping[str, str], found: Mapping[str, str], path: str | Path) -> None:
    names = {**expected, **found}
    different = [quote(name) for name in names if expected.get(name) != found.get(name)]
    if different:
        raise ValueError(
            f"{path} was changed after it was written: {', '.join(different[:3])} differ{'s' * (len(different) == 1)} "
            f"from the digest in the file. Get the file again from its source. {FIX}"
        )
