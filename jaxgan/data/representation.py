"""Display sources: a line of text for ``repr``, and a grid of some examples for notebooks."""

import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxgan.core.text import html_text, list_names, printable

SHOWN_IMAGES = 16  # maximum number of images in a grid
SHOWN_POINTS = 2000  # maximum number of points in a scatter plot
SHOWN_CLASSES = 10  # maximum number of classes in a line of text
DRAWN_CHANNELS = (1, 3, 4)  # numbers of channels of images that can be drawn


class ShownSource:
    """Base class of sources that can be displayed.

    ``repr`` reads no examples. A notebook shows a grid of a few examples, evenly spaced from the first to the last.

    Attributes:
      name: the name of the source, for messages.
      shape: the shape of one example.
      classes: the names of the classes; empty if the examples have no labels.
      details, test, spans, weights: see ``NamedArrays``.
      decodes: whether an example is decoded from files whenever it is read, always to equal arrays. Such examples can
        be cached, see ``jaxgan.data.image_cache``.
    """

    # Subclasses define these attributes of ``Source``.
    name: Any
    shape: Any
    classes: Any
    details: Any = types.MappingProxyType({})
    test: Any = None
    spans: Any = None
    weights: Any = None
    decodes: Any = False

    def __len__(self) -> int:
        raise NotImplementedError

    def read(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Return the examples with these indices, see ``Source.read``.

        Args:
          indices: the indices of the examples, [N] integers.

        Raises:
          NotImplementedError: if the class of the source does not define this method.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        labels = f", {show_classes(self.classes)}" if self.classes else ""
        text = f"{type(self).__name__} {printable(self.name)}: {len(self):,} examples of shape {list(self.shape)}"
        return f"{text}{self._details()}{labels}"

    def _details(self) -> str:
        """Return more text about the examples, to be inserted into ``repr``. Subclasses can override this method."""
        return ""

    def _repr_html_(self) -> str:
        text = _paragraph(repr(self))
        count = min(SHOWN_POINTS if len(self.shape) == 1 else SHOWN_IMAGES, len(self))
        try:
            batch = self.read(np.linspace(0, len(self) - 1, count).astype(int))
        except (ValueError, OSError) as error:
            return text + _paragraph(f"The examples cannot be read: {error}")
        return text + "".join(_draw(name, batch[name]) for name in ("input", "image") if name in batch)


def show_classes(classes: Sequence[str]) -> str:
    """Return the number of classes, and the names of the first ones.

    >>> show_classes(("cat", "dog"))
    '2 classes (cat, dog)'
    """
    noun = "class" if len(classes) == 1 else "classes"
    return f"{len(classes):,} {noun} ({list_names(classes, SHOWN_CLASSES)})"


def _paragraph(text: str) -> str:
    lines = "\n".join(map(html_text, text.split("\n")))
    return f'<pre style="white-space: pre-wrap">{lines}</pre>'


def _draw(name: str, examples: np.ndarray) -> str:
    """Draw the examples of a batch as HTML, with a title; return "" if examples of this shape cannot be drawn."""
    from jaxgan import drawing  # imported here, because it requires Pillow

    title = f"{name}: {len(examples):,} examples, evenly spaced from the first to the last"
    if examples.ndim == 5 and examples.shape[-1] == 1 and len(set(examples.shape[1:4])) == 1:
        middle = 127.5 if examples.dtype == np.uint8 else 0.0
        rendered = drawing.to_bytes(drawing.render_solids(examples, threshold=middle))
        return drawing.as_html(drawing.grid(rendered), title)
    if examples.ndim == 4 and examples.dtype != np.uint8:
        # Floats are converted to bytes here, because `grid` would warn of floats that are not in [-1, 1], and it would
        # raise an error for floats that are not finite.
        examples = drawing.to_bytes(examples)
    is_drawn = examples.shape[1:] == (2,) or (examples.ndim == 4 and examples.shape[-1] in DRAWN_CHANNELS)
    return drawing.as_html(drawing.grid(examples), title) if is_drawn else ""
