"""A Sphinx extension that writes formulas as MathML, which browsers display without scripts or a network."""

from typing import Any

import latex2mathml.converter
from docutils import nodes


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer with Sphinx, as ``html_math_renderer = "mathml"``."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True}


def _visit_inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def _visit_block(translator: Any, node: nodes.math_block) -> None:
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    translator.body.append(f'<div class="math">{formula}</div>\n')
    raise nodes.SkipNode
