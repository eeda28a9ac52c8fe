"""Recognise hidden files, and files that operating systems, network drives and programs put beside images.

Some of them are images: macOS, Synology and QNAP write thumbnails or metadata with the suffix of the image, and a bin
contains images that were deleted.
"""

import re

# In lower case, without names that begin with a dot, which are all hidden.
NAMES = {
    "__macosx",  # macOS, in zip files
    "thumbs.db",  # Windows
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",  # macOS
    "thumbs",  # programs that manage photographs
    "$recycle.bin",  # Windows
    "recycler",
    "recycled",
    "system volume information",
    "found.000",
    "lost+found",  # Linux
    "@eadir",  # Synology
    "#recycle",
    "#snapshot",
    "@recycle",  # QNAP
    "@recently-snapshot",
    "network trash folder",  # Netatalk
    "temporary items",
    "__pycache__",  # Python
}
PATTERNS = re.compile(r"synophoto_thumb_.*|synofile_thumb_.*|.*@synoeastream|.*@synoresource|~\$.*")


def is_system_name(name: str) -> bool:
    """Return whether a file or folder with this name is hidden, or belongs to a system or program.

    >>> is_system_name(".DS_Store"), is_system_name("@eaDir"), is_system_name("cat.png")
    (True, True, False)

    Args:
      name: the name, without the folders around it.
    """
    return name.startswith(".") or name.lower() in NAMES or PATTERNS.fullmatch(name.lower()) is not None
