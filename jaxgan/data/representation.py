"""How a source shows itself: a line for ``repr``, and a grid of some examples for notebooks."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

SHOWN_IMAGES = 16
SHOWN_POINTS = 2000
SHOWN_CLASSES = 10
DRAWN_CHANNELS = (1, 3, 4)


class ShownSource:
    """A base of sources: ``repr`` reads no example; a notebook shows a grid of a few, evenly from first to last."""

    # The attributes of ``Source`` that a subclass has.
    name: Any
    shape: Any
    classes: Any

    def __len__(self) -> int:
        raise NotImplementedError

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """The examples with these indices; see ``Source``."""
        raise NotImplementedError

    def __repr__(self) -> str:
        labels = f", {show_classes(self.classes)}" if self.classes else ""
        text = f"{type(self).__name__} {self.name}: {len(self):,} examples of shape {list(self.shape)}"
        return f"{text}{self._details()}{labels}"

    def _details(self) -> str:
        """More about the examples; a subclass overrides it."""
        return ""

    def _repr_html_(self) -> str:
        text = _paragraph(repr(self))
        count = min(SHOWN_POINTS if len(self.shape) == 1 else SHOWN_IMAGES, len(self))
        try:
            batch = self.read(np.linspace(0, len(self) - 1, count).astype(int))
        except (ValueError, OSError) as error:
            return text + _paragraph(f"Examples cannot be read: {error}")
        return text + "".join(_draw(name, batch[name]) for name in ("input", "image") if name in batch)


def show_classes(classes: Sequence[str]) -> str:
    """The number of classes, and the names of the first ones.

    >>> show_classes(("cat", "dog"))
    '2 classes (cat, dog)'
    """
    more = ", ..." if len(classes) > SHOWN_CLASSES else ""
    noun = "class" if len(classes) == 1 else "classes"
    return f"{len(classes):,} {noun} ({', '.join(classes[:SHOWN_CLASSES])}{more})"


def _paragraph(text: str) -> str:
    return f'<pre style="white-space: pre-wrap">{html.escape(text)}</pre>'


def _draw(name: str, examples: np.ndarray) -> str:
    """Examples of a batch as a picture in HTML; empty where they are of a kind that has none."""
    from jaxgan import media  # it needs Pillow

    title = f"{name}: {len(examples):,} examples, evenly from first to last"
    if examples.ndim == 5 and examples.shape[-1] == 1 and len(set(examples.shape[1:4])) == 1:
        middle = 127.5 if examples.dtype == np.uint8 else 0.0
        rendered = media.to_bytes(media.render_solids(examples, threshold=middle))
        return media.as_html(media.grid(rendered), title)
    if examples.ndim == 4 and examples.dtype != np.uint8:
        examples = media.to_bytes(examples)  # a display neither warns nor refuses, as `grid` does with floats
    is_drawn = examples.shape[1:] == (2,) or (examples.ndim == 4 and examples.shape[-1] in DRAWN_CHANNELS)
    return media.as_html(media.grid(examples), title) if is_drawn else ""
