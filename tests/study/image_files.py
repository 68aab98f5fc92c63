"""Small image sets as their owners ship them, written anew."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IDX_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def digits(n: int, seed: int, shape: tuple[int, ...] = (28, 28)) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images of noise, and labels that have all of ten classes."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, *shape), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)


def idx(array: NDArray[np.uint8]) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, ending: str = "", seed: int = 0) -> tuple[NDArray[np.uint8], ...]:
    """MNIST's four files in ``folder``, made for it; what is in them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = (*digits(30, seed), *digits(20, seed + 1))
    for name, array in zip(IDX_NAMES, arrays, strict=True):
        data = idx(array)
        (folder / f"{name}{ending}").write_bytes(gzip.compress(data) if ending else data)
    return arrays


def write_cifar(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The binary version with 4 images a batch; all 24 images (n, 32, 32, 3), those for testing last, and labels."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = digits(24, 2, (32, 32, 3))
    records = np.concatenate([labels[:, None], images.transpose(0, 3, 1, 2).reshape(24, -1)], axis=1)
    for number, name in enumerate([*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]):
        (folder / name).write_bytes(records[4 * number : 4 * number + 4].tobytes())
    return images, labels


def write_stl(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The binary version with 12 training and 12 test images, which are the same; these and their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = digits(12, 3, (96, 96, 3))
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(images.transpose(0, 3, 2, 1).tobytes())
        (folder / f"{part}_y.bin").write_bytes((labels + 1).astype(np.uint8).tobytes())
    return images, labels


def shade(wears_glasses: bool) -> NDArray[np.uint8]:
    return np.full((218, 178, 3), 200 if wears_glasses else 60, np.uint8)


def write_celeba(
    folder: Path, *, nested: bool = False, face: Callable[[bool], NDArray[np.uint8]] = shade
) -> list[Path]:
    """60 pictures and two lists as CelebA's owners ship them; every other ``face`` wears glasses. The pictures."""
    pictures = folder / ("Img/img_align_celeba" if nested else "img_align_celeba")
    lists = [folder / "Anno", folder / "Eval"] if nested else [folder, folder]
    for place in (pictures, *lists):
        place.mkdir(parents=True, exist_ok=True)
    paths = [pictures / f"{number:06d}.jpg" for number in range(1, 61)]
    rows, parts = ["60", "Eyeglasses Wearing_Earrings Wearing_Lipstick"], []
    for number, path in enumerate(paths):
        wears = number % 2 == 1
        Image.fromarray(face(wears)).save(path, "JPEG", quality=95)
        rows.append(f"{path.name} {1 if wears else -1:2d} {-1:2d} {1 if number % 3 else -1:2d}")
        parts.append(f"{path.name} {0 if number < 30 else 2 if number < 50 else 1}")
    (lists[0] / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n")
    (lists[1] / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return paths


def write_arff(path: Path, images: NDArray[np.uint8], labels: list[str], declared: str) -> None:
    """A table of pixels, planes first where there are any, with its classes in the last column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    head = ["% a comment", "@RELATION images", *(f"@ATTRIBUTE 'a{k}' REAL" for k in range(rows.shape[1]))]
    lines = [",".join([*map(str, row.tolist()), label]) for row, label in zip(rows, labels, strict=True)]
    path.write_text("\n".join([*head, f"@ATTRIBUTE class {declared}", "@DATA", *lines]) + "\n")
