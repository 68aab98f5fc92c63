"""Pictures of pixels within an SVG: where they stand, and as few bytes as they need."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET

_SCALED = re.compile(r"matrix\(([\d.]+) 0 0 ([\d.]+) (-?[\d.]+) (-?[\d.]+)\)")


def settle_image(node: ET.Element) -> None:
    """A picture where it stands and as large as it is shown, with no more bytes than it needs.

    Matplotlib scales it by a matrix, whose numbers are too small to be rounded to tenths of a pixel.
    """
    if found := _SCALED.fullmatch(node.get("transform", "")):
        across, down, x, y = map(float, found.groups())
        for name, value in (
            ("width", across * float(node.get("width", 0))),
            ("height", down * float(node.get("height", 0))),
        ):
            node.set(name, f"{round(value, 1):g}")
        node.attrib |= {"x": f"{x}", "y": f"{y}", "preserveAspectRatio": "none"}
        del node.attrib["transform"]
    node.set("href", _packed(node.get("href", "")))


def _packed(address: str) -> str:
    """A ``data:`` address of the same picture: with a table of its colours where there are few, else as it is."""
    import numpy as np
    from PIL import Image

    content = base64.b64decode(address.partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"))
    if (pixels[..., 3] == 255).all():
        colours, numbers = np.unique(pixels[..., :3].reshape(-1, 3), axis=0, return_inverse=True)
        if len(colours) <= 256:
            picture = Image.fromarray(numbers.reshape(pixels.shape[:2]).astype(np.uint8))
            picture.putpalette(colours.tobytes())
        else:
            picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
        buffer = io.BytesIO()
        picture.save(buffer, format="png", optimize=True)
        content = buffer.getvalue()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
