"""Draw the pictures of this folder: each NAME.toml becomes NAME.svg.

    python docs/pictures/draw.py

A description has `width` and `height` (pixels), boxes and arrows. Boxes are drawn in order, so an enclosing box comes
first. Arrows go from box to box: straight down or across where the boxes face each other, or through the points of
`via`. `at` moves a straight arrow to that x (vertical) or y (horizontal).
"""

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent
Box = dict[str, Any]
Point = tuple[float, float]

_STYLES = {
    "outer": "fill:#f6f7f9;stroke:#8a94a6",
    "room": "fill:#ffffff;stroke:#3b4a63",
    "core": "fill:#e6f0fb;stroke:#1f5fa8",
    "outside": "fill:#fff7e0;stroke:#b98a1a",
    "note": "fill:none;stroke:none",
}
_FONT = "font-family:Helvetica,Arial,'DejaVu Sans',sans-serif"
_LINE_PX = 16


def draw(description: dict[str, Any]) -> str:
    """The SVG document of a description."""
    boxes = {box["id"]: box for box in description["box"]}
    width, height = description["width"], description["height"]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" style="{_FONT}">',
        f"<title>{escape(description['title'])}</title>",
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L10 5 L0 10 z" fill="#3b4a63"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for box in boxes.values():
        lines += _box(box)
    for arrow in description.get("arrow", ()):
        lines += _arrow(arrow, boxes)
    return "\n".join([*lines, "</svg>", ""])


def _box(box: Box) -> Iterator[str]:
    style = box.get("style", "room")
    x, y, w, h = box["x"], box["y"], box["w"], box["h"]
    yield f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" style="{_STYLES[style]};stroke-width:1.5"/>'
    texts = [(box["title"], 'font-size="15" font-weight="bold"')] if box.get("title") else []
    texts += [(line, 'font-size="12.5"') for line in box.get("lines", ())]
    if style in ("outer", "note"):
        anchor, left, top = "start", x + box.get("indent", 12), y + (22 if style == "outer" else 16)
    else:
        anchor, left, top = "middle", x + w / 2, y + h / 2 - (len(texts) - 1) * _LINE_PX / 2 + 5
    for number, (text, look) in enumerate(texts):
        place = f'x="{left:g}" y="{top + number * _LINE_PX:g}" text-anchor="{anchor}"'
        yield f'<text {place} fill="#1b2433" {look}>{escape(text)}</text>'


def _arrow(arrow: dict[str, Any], boxes: dict[str, Box]) -> Iterator[str]:
    points = _points(arrow, boxes[arrow["from"]], boxes[arrow["to"]])
    path = " ".join(f"{'M' if not number else 'L'}{x:g} {y:g}" for number, (x, y) in enumerate(points))
    dashes = ' stroke-dasharray="5 4"' if arrow.get("dashed") else ""
    yield f'<path d="{path}" fill="none" stroke="#3b4a63" stroke-width="1.5"{dashes} marker-end="url(#head)"/>'
    if "label" in arrow:
        (x1, y1), (x2, y2) = points[0], points[-1]
        place = f'x="{(x1 + x2) / 2 + 8:g}" y="{(y1 + y2) / 2 + 4:g}"'
        yield f'<text {place} font-size="12" fill="#3b4a63">{escape(arrow["label"])}</text>'


def _points(arrow: dict[str, Any], start: Box, end: Box) -> list[Point]:
    """The corners of an arrow, from the edge of one box to the edge of the other."""
    if "via" in arrow:
        corners = [(float(x), float(y)) for x, y in arrow["via"]]
        return [_edge(start, corners[0]), *corners, _edge(end, corners[-1])]
    left, right = max(start["x"], end["x"]), min(start["x"] + start["w"], end["x"] + end["w"])
    if left < right:
        x = arrow.get("at", (left + right) / 2)
        down = start["y"] < end["y"]
        return [(x, start["y"] + start["h"] * down), (x, end["y"] + end["h"] * (not down))]
    top, bottom = max(start["y"], end["y"]), min(start["y"] + start["h"], end["y"] + end["h"])
    y = arrow.get("at", (top + bottom) / 2)
    across = start["x"] < end["x"]
    return [(start["x"] + start["w"] * across, y), (end["x"] + end["w"] * (not across), y)]


def _edge(box: Box, point: Point) -> Point:
    """The point of the box's edge nearest to `point`."""
    return (
        min(max(point[0], box["x"]), box["x"] + box["w"]),
        min(max(point[1], box["y"]), box["y"] + box["h"]),
    )


def main() -> int:
    for source in sorted(FOLDER.glob("*.toml")):
        source.with_suffix(".svg").write_text(draw(tomllib.loads(source.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
