"""Figures of images and matrices show the very pixels, on the scales they claim, on the page and in its files."""

from __future__ import annotations

import base64
import io
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench.report.blocks import Document, Figure, Section
from bench.report.build import write_document
from bench.study.pictures import MOST_FIELDS, Panels, image_grid, paired_heat_maps, pooled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (8, 8, 1), dtype=np.uint8)
NUMBERS = RNG.uniform(0, 7, (6, 6))


def elements(svg: str, tag: str) -> list[ET.Element]:
    return [node for node in ET.fromstring(svg).iter() if node.tag.rpartition("}")[2] == tag]


def decoded(image: ET.Element) -> NDArray[np.uint8]:
    """(h, w, 4)"""
    kind, _, content = image.attrib["href"].partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA"))


def pictures(figure: Figure) -> list[NDArray[np.uint8]]:
    """The panels' pixels; without the bar of colours, which has one row."""
    found = [decoded(image) for image in elements(figure.svg, "image")]
    return [pixels for pixels in found if len(pixels) > 1]


def colours(name: str, shares: Any) -> NDArray[np.uint8]:
    return np.asarray(matplotlib.colormaps[name](np.asarray(shares), bytes=True))


def grid(*panels: tuple[str, Any], **more: Any) -> Figure:
    return image_grid("g", "A title", "A caption.", [Panels("", panels)], **more)


def maps(*panels: tuple[str, Any], **more: Any) -> Figure:
    return paired_heat_maps("m", "A title", "A caption.", [Panels("", panels)], **more)


def test_pixels_are_those_of_the_images() -> None:
    photo, grey, numbers = pictures(grid(("a photo", PHOTO), ("a digit", GREY), ("weights", NUMBERS)))
    np.testing.assert_array_equal(photo[..., :3], PHOTO)
    np.testing.assert_array_equal(grey[..., :3], np.repeat(GREY, 3, axis=2))
    low, high = NUMBERS.min(), NUMBERS.max()
    np.testing.assert_array_equal(numbers, colours("viridis", (NUMBERS - low) / (high - low)))
    assert all((pixels[..., 3] == 255).all() for pixels in (photo, grey, numbers))
    np.testing.assert_array_equal(pictures(grid(("as stored", PHOTO.tolist())))[0], photo)


def test_each_array_has_its_own_scale_or_all_have_one() -> None:
    own, half = pictures(grid(("a", NUMBERS), ("b", NUMBERS / 2)))
    np.testing.assert_array_equal(own, half)
    figure = grid(("a", NUMBERS), ("b", NUMBERS / 2), common=True)
    one, half = pictures(figure)
    low, high = NUMBERS.min() / 2, NUMBERS.max()
    np.testing.assert_array_equal(one, colours("viridis", (NUMBERS - low) / (high - low)))
    np.testing.assert_array_equal(half, colours("viridis", (NUMBERS / 2 - low) / (high - low)))
    assert f"{high:.2g}" in texts(figure)
    assert "largest value of each" in texts(grid(("a", NUMBERS)))
    assert "largest value of each" not in texts(grid(("a photo", PHOTO)))


def texts(figure: Figure) -> list[str]:
    return [node.text or "" for node in elements(figure.svg, "text")]


def test_matrices_have_one_scale_with_zero_in_its_middle() -> None:
    matrix = RNG.normal(0, 1, (9, 9))
    figure = maps(("NFM", matrix), ("AGOP", 3 * matrix))
    end = np.abs(3 * matrix).max()
    for pixels, values in zip(pictures(figure), (matrix, 3 * matrix), strict=True):
        np.testing.assert_array_equal(pixels, colours("RdBu_r", (values + end) / (2 * end)))
    assert {"0", f"{end:.2g}", f"\u2212{end:.2g}"} <= set(texts(figure))
    # What has no negative values begins at 0, and has another map.
    positive = np.abs(matrix) + 1
    shares = positive / positive.max()
    [pixels] = pictures(maps(("AGOP", positive)))
    np.testing.assert_array_equal(pixels, colours("viridis", shares))
    [pixels] = pictures(maps(("AGOP", positive), diverging=True))
    np.testing.assert_array_equal(pixels, colours("RdBu_r", (shares + 1) / 2))


def test_a_share_leaves_the_few_largest_values_beyond_the_scale() -> None:
    matrix = np.ones((10, 10))
    matrix[3, 4] = 1000.0
    figure = maps(("a", matrix), share=0.98)
    [pixels] = pictures(figure)
    np.testing.assert_array_equal(pixels, np.broadcast_to(colours("viridis", 1.0), pixels.shape))
    assert {"0", "≥ 1"} <= set(texts(figure))
    assert {"0", "1,000"} <= set(texts(maps(("a", matrix))))


def test_large_matrices_are_pooled_by_means_and_the_caption_says_so() -> None:
    for (h, w), block in itertools.product([(7, 7), (12, 5), (6, 9)], [1, 2, 3, 5]):
        matrix = RNG.normal(0, 1, (h, w))
        rows, columns = range(0, h, block), range(0, w, block)
        expected = [[matrix[i : i + block, j : j + block].mean() for j in columns] for i in rows]
        np.testing.assert_allclose(pooled(matrix, block), expected)
    large = RNG.uniform(0, 1, (2 * MOST_FIELDS, 2 * MOST_FIELDS))
    figure = maps(("a", large), ("b", large))
    assert [pixels.shape[:2] for pixels in pictures(figure)] == [(MOST_FIELDS, MOST_FIELDS)] * 2
    assert figure.caption == "A caption. Each field is the mean of 2 × 2 entries."
    assert "up to 2 × 2" in maps(("a", large), ("b", large[:8, :8])).caption
    assert maps(("b", large[:8, :8])).caption == "A caption."


def test_what_is_no_number_is_left_blank() -> None:
    holes = NUMBERS.copy()
    holes[0, 0], holes[1, 1] = np.nan, np.inf
    [pixels] = pictures(grid(("a", holes)))
    assert pixels[0, 0, 3] == pixels[1, 1, 3] == 0
    assert (pixels[..., 3] == 255).sum() == NUMBERS.size - 2
    figure = grid(("nothing", np.full((4, 4), np.nan)), ("flat", np.full((4, 4), 3.0)))
    blank, flat = pictures(figure)
    assert (blank[..., 3] == 0).all()
    np.testing.assert_array_equal(flat, np.broadcast_to(colours("viridis", 0.0), flat.shape))
    assert "nan" in figure.data


@pytest.mark.parametrize(("draw", "pixels", "words"), [
    *((grid, pixels, r"expected \(h, w\) numbers, or \(h, w, 1 or 3\) bytes") for pixels in (
        np.zeros(4), np.zeros((2, 2, 3)), np.full((2, 2, 3), 256), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 3)),
        [["a", "b"]],
    )),
    (maps, GREY, r"figure 'm': an array \(8, 8, 1\) is no matrix"),
])  # fmt: skip
def test_what_is_no_picture_or_no_matrix_is_refused(draw: Callable[..., Figure], pixels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        draw(("a", pixels))


ROWS = [
    Panels("MNIST", [(f"layer {k}", NUMBERS) for k in range(5)]),
    Panels("a longer title <of> a row & more", [("a title that does not fit on one line", PHOTO), ("b", GREY)]),
]


@pytest.mark.parametrize("count", [1, 3, 14])
def test_panels_stand_in_the_sheet_apart_and_undistorted(count: int) -> None:
    figure = image_grid("g", "T", "C", [*ROWS, Panels("many", [(str(k), PHOTO) for k in range(count)])])
    for svg in (figure.svg, figure.phone):
        width, height = map(float, ET.fromstring(svg).attrib["viewBox"].split()[2:])
        boxes = []
        for image in elements(svg, "image"):
            x, y, w, h = (float(image.attrib[name]) for name in ("x", "y", "width", "height"))
            pixels = decoded(image)
            assert "transform" not in image.attrib
            assert 0 <= x <= x + w <= width
            assert 0 <= y <= y + h <= height
            if len(pixels) > 1:
                assert w / h == pytest.approx(pixels.shape[1] / pixels.shape[0], rel=0.02)
                assert w >= 72
            boxes.append((x, y, x + w, y + h))
        assert len(boxes) == 7 + count + 1
        for one, other in itertools.combinations(boxes, 2):
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
        assert max(bottom for *_, bottom in boxes) > height - 40  # no empty space below


def test_words_are_where_readers_need_them() -> None:
    figure = image_grid("g", "A <title>", "A caption.", ROWS)
    label = ET.fromstring(figure.svg).attrib["aria-label"]
    assert label.startswith("A <title>. A caption. Panels: MNIST: layer 0, layer 1, ")
    assert "a longer title <of> a row & more: a title that" in label
    first, *_, last = (title.text for title in elements(figure.svg, "title"))
    assert (first, last) == ("MNIST: layer 0", "a longer title <of> a row & more: b")
    assert "layer 4" in texts(figure)
    # The numbers beside the figure are of each panel, not of each pixel.
    head, first, *others = figure.data.splitlines()
    assert (head, len(others)) == ("row,panel,height,width,smallest,largest,mean", 6)
    assert first == f"MNIST,layer 0,6,6,{NUMBERS.min():.6g},{NUMBERS.max():.6g},{NUMBERS.mean():.6g}"


def test_pictures_take_little_room_and_are_the_same_every_time() -> None:
    """Few colours are a table of them: a digit is smaller than its pixels are as numbers."""
    panels = [(str(k), np.tile(NUMBERS, (4, 4))) for k in range(10)]
    assert len(grid(*panels).svg) < 10 * 1500
    assert grid(*panels) == grid(*panels)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    two = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]], dtype=np.uint8)
    figures = (grid(("checks", two), ("photo", PHOTO)), maps(("NFM", NUMBERS), ("AGOP", -NUMBERS)))
    document = Document("Pictures", "a test", (), (Section("a", "A", figures),))
    return write_document(document, tmp_path_factory.mktemp("report")).html


def test_the_markdown_twin_shows_the_same_pictures(report: Path) -> None:
    assert "![A title](figures/g.svg)" in (report.parent / "report.md").read_text()
    text = (report.parent / "figures" / "g.svg").read_text()
    assert "var(" not in text
    first, second, *_ = elements(text, "image")
    assert decoded(first).shape == (2, 2, 4)
    np.testing.assert_array_equal(decoded(second)[..., :3], PHOTO)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_a_browser_shows_them_sharp_and_asks_nobody(browser: Browser, report: Path, width: int, scheme: Any) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(report.as_uri())
    checks = page.locator("#g-figure svg.plot:visible image").first
    shot = np.asarray(Image.open(io.BytesIO(checks.screenshot())).convert("RGB")).astype(int)
    height, across, _ = shot.shape
    inner = shot[3:-3, 3:-3].reshape(-1, 3)  # without the frame
    for colour in ([255, 0, 0], [0, 0, 255]):
        assert (np.abs(inner - colour).sum(axis=1) < 8).mean() == pytest.approx(0.5, abs=0.05)
    assert tuple(shot[height // 4, across // 4]) == (255, 0, 0)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert trouble == []
    context.close()
