"""What the study of the four phenomena computes: pictures made for it, RFM on them, tickets, networks in a span."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_files import write_celeba
from numpy.typing import NDArray
from refusals import refused

from bench.errors import JobSkipped
from bench.study.feature_matrices import nfm
from bench.study.images import Images, ImageSet, find_images, rows_of
from bench.study.machines import accuracy, named_coordinates, rfm_path
from bench.study.networks import ReluNetwork, one_hot, train
from bench.study.phenomena import faces, grokking, simplicity, spurious, tickets
from bench.study.phenomena.descent import SpanNetwork, trained
from bench.study.phenomena.marks import Box, alike, in_colour, of_another_class, resized, tied
from bench.study.phenomena.stored import packed, packed_diagonal, unpacked
from rfm import KernelRidgeClassifier, RFMClassifier
from rfm.factored import FactoredMatrix, cosine
from rfm.problem import unit_rows
from rfm.span import Span


@pytest.fixture(scope="module")
def digits(images: Images) -> ImageSet:
    return images["digits"]


GROKKING = {"images": "digits", "classes": [3, 8], "counts": [10, 40], "test": 15, "size": 16, "patch": [1, 2, 3]}
MARKED = {"images": "digits", "classes": [3, 8], "n": 100, "test": 20, "mark": 2, "edge": 0, "share": 0.9}
HALVES = {"halves": ["digits", "digits"], "n": 100, "test": 10}
CORNER = {"images": "digits", "photos": "digits", "side": 4, "classes": [4, 9], "n": 41, "test": 20}


def pictures(seed: int = 0, n: int = 5, shape: tuple[int, ...] = (6, 7, 3)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def contents(some: NDArray[np.uint8]) -> set[bytes]:
    return set(map(bytes, some))


def labels_by_content(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> dict[bytes, int]:
    return dict(zip(map(bytes, images), labels.tolist(), strict=True))


def test_boxes_are_filled_and_nothing_else_is_changed() -> None:
    before = pictures()
    kept, box = before.copy(), Box(1, 2, 3, 4)
    inside = box.coordinates(before.shape[1:])
    assert inside.sum() == 3 * 4 * 3
    for values in (9, np.arange(5, dtype=np.uint8), pictures(1, 5, (3, 4, 3))):
        after = box.painted(before, values)
        flat, was = after.reshape(5, -1), before.reshape(5, -1)
        np.testing.assert_array_equal(flat[:, ~inside], was[:, ~inside])
        expected = np.broadcast_to(np.asarray(values).reshape(5, -1) if np.ndim(values) else values, (5, 36))
        np.testing.assert_array_equal(flat[:, inside], expected)
    np.testing.assert_array_equal(before, kept)


@pytest.mark.parametrize("share", [0.5, 0.6, 0.95, 1.0])
def test_ties_have_exactly_their_share(share: float) -> None:
    labels = np.repeat([0, 1], [40, 60])
    marked = tied(labels, share, 3)
    assert marked[labels == 1].sum() == round(60 * share)
    assert marked[labels == 0].sum() == round(40 * (1 - share))
    assert (tied(labels, share, 3) == marked).all()


def test_other_classes_are_others_and_every_image_is_used_once() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [7, 5, 4]))
    partners = of_another_class(labels, 1)
    assert sorted(partners) == list(range(16))
    assert (labels[partners] != labels).all()
    with pytest.raises(ValueError, match="9 of 16 images are of one class"):
        of_another_class(np.repeat([0, 1], [9, 7]), 0)


def test_sizes_and_channels() -> None:
    some = pictures(shape=(4, 6, 1))
    twice = resized(some, 8, 12)
    np.testing.assert_array_equal(twice[:, 1::2, ::2], some)
    np.testing.assert_array_equal(resized(twice, 4, 6), some)
    halved = resized(some, 2, 3)[..., 0].astype(float)
    np.testing.assert_allclose(halved, some[..., 0].reshape(5, 2, 2, 3, 2).mean(axis=(2, 4)), atol=0.5)
    np.testing.assert_array_equal(resized(np.full_like(some, 37), 5, 9), np.full((5, 5, 9, 1), 37))
    np.testing.assert_array_equal(in_colour(some, 3), np.repeat(some, 3, axis=3))
    assert (alike(some, pictures(shape=(8, 8, 3))) == in_colour(resized(some, 8, 8), 3)).all()


def test_pictures_are_stored_whole() -> None:
    np.testing.assert_array_equal(unpacked(packed(pictures())), pictures())
    diagonal = np.array([0.0, 1.0, 0.5, 4.0, 2.0, 0.0, 0.0, 0.0])
    np.testing.assert_array_equal(unpacked(packed_diagonal(diagonal, (2, 2, 2))), [[64, 255], [128, 0]])
    assert not unpacked(packed_diagonal(np.zeros(4), (2, 2, 1))).any()


def test_patches_say_the_class_and_stand_where_they_should(images: Images, digits: ImageSet) -> None:
    task = grokking.make_task(GROKKING, 1, images)
    assert list(np.bincount(task.labels)) == [10, 40]
    inside = task.patch.coordinates(task.shape)
    assert list(np.flatnonzero(inside.reshape(16, 16).any(axis=1))) == [1, 2, 3]
    assert list(np.flatnonzero(inside.reshape(16, 16).any(axis=0))) == [2, 3, 4]
    corner = Box(12, 11, 3, 3).coordinates(task.shape)
    for pixels, labels, where in (
        (task.images, task.labels, inside),
        (task.tests["test"], task.test_labels, inside),
        (task.tests["moved"], task.test_labels, corner),
    ):
        flat = pixels.reshape(len(pixels), -1)
        np.testing.assert_array_equal(flat[:, where], np.repeat(255 * labels[:, None], 9, axis=1))
        plain = flat[:, ~(inside | corner)]
        every = resized(np.concatenate([digits.images, digits.test_images]), 16, 16).reshape(-1, 256)
        assert contents(plain) <= contents(every[:, ~(inside | corner)])
    bare = grokking.make_task({**GROKKING, "patch": None}, 1, images)
    assert list(bare.tests) == ["test"]
    for some, source in ((bare.images, digits.images), (bare.tests["test"], digits.test_images)):
        assert contents(some) <= contents(resized(source, 16, 16))
    np.testing.assert_array_equal(bare.tests["test"], task.tests["without"])


def test_halves_are_of_one_class_until_one_is_of_another(images: Images, digits: ImageSet) -> None:
    halves = simplicity.Halves(HALVES, 0, images)
    known = labels_by_content(digits.images, digits.labels)
    test_known = labels_by_content(digits.test_images, digits.test_labels)
    for half in halves.train:
        assert [known[bytes(image)] for image in half] == list(halves.labels)
    assert not np.array_equal(*halves.train)
    assert list(np.bincount(halves.test_labels)) == [10] * 10
    assert (halves.other_labels != halves.test_labels).all()
    intact = halves.tests["intact"]
    for k, name in enumerate(simplicity.HALVES):
        replaced, averaged = (halves.tests[f"{name} {how}"] for how in ("of another class", "averaged"))
        assert [test_known[bytes(image)] for image in intact[k]] == list(halves.test_labels)
        assert [test_known[bytes(image)] for image in replaced[k]] == list(halves.other_labels)
        np.testing.assert_allclose(averaged[k][3], halves.train[k].mean(axis=0), atol=0.5)
        for other in (replaced, averaged):
            np.testing.assert_array_equal(other[1 - k], intact[1 - k])


def test_marks_go_with_the_class_as_often_as_asked_for(images: Images) -> None:
    task = spurious.make_task(MARKED, 0, images)
    has = (task.rows[:, task.inside] == 1.0).all(axis=1)
    assert has[task.labels == 1].sum() == 45
    assert has[task.labels == 0].sum() == 5
    np.testing.assert_array_equal(task.rows[:, ~task.inside], task.clean_rows[:, ~task.inside])
    for name, marked in (("kept", 1), ("reversed", 0)):
        rows = task.tests[name]
        np.testing.assert_array_equal((rows[:, task.inside] == 1.0).all(axis=1), task.test_labels == marked)
        np.testing.assert_array_equal(rows[:, ~task.inside], task.tests["clean"][:, ~task.inside])
    again = spurious.make_task({**MARKED, "share": 0.8}, 0, images)
    assert contents((255 * again.clean_rows).astype(np.uint8)) != contents((255 * task.clean_rows).astype(np.uint8))


def test_digits_stand_in_the_corner_of_photos(images: Images, digits: ImageSet) -> None:
    task, box = tickets.make_task(CORNER, 0, images)
    assert box is not None
    assert box.sum() == 16
    assert sorted(np.bincount(task.labels)) == [20, 21]
    small = labels_by_content(resized(digits.images, 4, 4), digits.labels)
    found = [small[image.tobytes()] for image in task.images[:, :4, :4]]
    np.testing.assert_array_equal(found, np.array([4, 9])[task.labels])
    rest = digits.images.reshape(len(digits.images), -1)[:, ~box]
    assert contents(task.images.reshape(41, -1)[:, ~box]) <= contents(rest)
    plain, none = tickets.make_task({key: CORNER[key] for key in ("images", "classes", "n", "test")}, 0, images)
    assert none is None
    assert not contents(plain.images) & contents(plain.test_images)
    more, _ = tickets.make_task({**CORNER, "n": 60}, 0, images)
    assert not contents(task.images) <= contents(more.images)  # every number of images is a draw of its own


@pytest.mark.parametrize("size", [8, 16], ids=["more rows than pixels", "wide"])
def test_rfm_is_that_of_the_estimator(images: Images, size: int) -> None:
    task = grokking.make_task({**GROKKING, "counts": [40, 40], "size": size}, 0, images)
    X, Z = rows_of(task.images), rows_of(task.tests["test"])
    for step in rfm_path(X, task.labels, {"test": Z, "moved": rows_of(task.tests["moved"])}, 2, 2):
        model = RFMClassifier(bandwidth=10.0, ridge=1e-3, iterations=step.iteration).fit(X, task.labels)
        np.testing.assert_array_equal(step.predicted("test"), model.predict(Z))
        for scores, rows in ((step.scores["test"], Z), (step.fitted, X)):
            np.testing.assert_allclose(scores[:, 1] - scores[:, 0], model.decision_function(rows), atol=1e-4)
        if step.metric is None:
            with pytest.raises(ValueError, match="names nothing"):
                step.diagonal()
        else:
            np.testing.assert_allclose(step.diagonal(), np.diag(model.M_), rtol=1e-3, atol=1e-6 * model.M_.max())


def test_what_there_is_not_is_refused_in_clear_words(images: Images) -> None:
    with pytest.raises(ValueError, match="all 5 training rows are of class 1"):
        next(rfm_path(np.zeros((5, 3)), np.ones(5, dtype=np.int64), {}, 1, 2))
    too_many = r"digits .*: \d+ training images of class 8, 5,000 asked for"
    refused(JobSkipped, too_many, grokking.make_task, {**GROKKING, "counts": [10, 5000]}, 0, images)
    refused(JobSkipped, "CIFAR-10", grokking.make_task, {**GROKKING, "images": "cifar10"}, 0, images)
    celeba = {"attribute": "Eyeglasses", "count": 2, "test": 2, "size": 8}
    refused(JobSkipped, "from its owners under their agreement", faces.celeba, celeba, 0, images)


def test_m_names_what_is_above_a_twentieth_of_its_range() -> None:
    diagonal = np.array([1.0, 1.0 + 0.05 * 4, 1.0 + 0.0501 * 4, 5.0, 3.0])
    assert list(named_coordinates(diagonal)) == [False, False, True, True, True]
    assert not named_coordinates(np.full(4, 2.0)).any()


def test_tickets_are_pruned_then_divided_by_their_norm_then_fitted(images: Images) -> None:
    parameters = {**CORNER, "n": 60}
    found = tickets.tickets(parameters, 2, images)
    task, box = tickets.make_task(parameters, 2, images)
    X, Z = rows_of(task.images), rows_of(task.test_images)
    model = RFMClassifier(bandwidth=10.0, ridge=1e-3, iterations=1, unit_norm=True).fit(X, task.labels)
    diagonal = np.diag(model.M_)
    mask = (diagonal - diagonal.min()) / (diagonal.max() - diagonal.min()) > 0.05

    def direct(kept: NDArray[np.bool_], **settings: Any) -> float:
        ticket = KernelRidgeClassifier(bandwidth=10.0, ridge=1e-3, unit_norm=True).fit(X[:, kept], task.labels)
        return float(ticket.score(Z[:, kept], task.test_labels))

    assert (found["kept"]["RFM-T 1"], found["inside"]["RFM-T 1"]) == (mask.sum(), (mask & box).sum())
    for name, kept in (("RFM-T 1", mask), ("Laplace", np.ones(64, dtype=bool)), ("box", box)):
        assert found["accuracy"][name] == direct(kept)
    pruned_last = unit_rows(X)[:, mask]
    assert not np.allclose(np.linalg.norm(pruned_last, axis=1), 1.0)  # the order is seen


def test_networks_in_the_span_are_those_of_all_pixels(images: Images) -> None:
    task = grokking.make_task(GROKKING, 0, images)
    X, Z = rows_of(task.images), rows_of(task.tests["test"])
    targets = one_hot(torch.from_numpy(task.labels), 2)
    small = SpanNetwork.start(Span.of(X, "cpu"), [12, 9], 2, 5)
    whole = ReluNetwork.start("default", [X.shape[1], 12, 9, 2], 5)
    rows = small.seen(X, training=True)
    settings: dict[str, Any] = {"rate": 0.1, "epochs": 20, "batch": 16, "seed": 3}
    *_, here = train(small.network, rows.within, targets, **settings)
    *_, there = train(whole, torch.from_numpy(X).float(), targets, **settings)
    assert here.loss == pytest.approx(there.loss, rel=1e-4)
    np.testing.assert_allclose(small.first_layer().numpy(), whole.layers[0].numpy(), atol=1e-5)
    np.testing.assert_array_equal(small.predicted(small.seen(Z)), whole.outputs(torch.from_numpy(Z).float()).argmax(1))
    core = torch.diag(torch.arange(1.0, 51.0, dtype=torch.float64))
    layer, metric = whole.layers[0], FactoredMatrix(small.span.basis, core)
    moved = layer - ReluNetwork.start("default", [X.shape[1], 12, 9, 2], 5).layers[0]
    assert small.metric_cosine(core) == pytest.approx(cosine(nfm(layer), metric), abs=1e-4)
    assert small.moved_cosine(core) == pytest.approx(cosine(nfm(moved), metric), abs=1e-3)
    assert SpanNetwork.start(small.span, [12, 9], 2, 5).moved_cosine(core) == pytest.approx(0.0, abs=1e-6)


def test_a_network_that_diverges_is_trained_more_slowly(images: Images) -> None:
    task = spurious.make_task(MARKED, 0, images)
    fit = partial(trained, parameters={"width": 16, "epochs": 60, "batch": 20}, outputs=2, seed=0)
    tests = {"kept": task.tests["kept"]}
    predicted, account = fit(task.rows, task.labels, tests, rates=(1e6, 0.1))
    assert (account["rate"], account["tried"]["1e+06"]["loss"]) == (0.1, None)
    assert account["tried"]["0.1"]["train"] > 0.9
    assert accuracy(predicted["kept"], task.test_labels) > 0.8
    nothing, account = fit(task.rows, task.labels, tests, rates=(1e6,))
    assert (nothing, account["rate"]) == ({}, None)


def test_the_epoch_of_divergence_is_kept(images: Images) -> None:
    parameters = {**GROKKING, "iterations": 1, "width": 8, "epochs": 9, "batch": 99, "outputs": 10}
    diverged = grokking.network({**parameters, "rate": 1e6, "batch": 5, "width": 64}, 0, images)
    assert 1 <= diverged["diverged"] < 9
    assert len(diverged["epochs"]) == diverged["diverged"] - 1
    found = grokking.network({**parameters, "rate": 0.05}, 0, images)
    assert found["diverged"] is None
    assert found["epochs"] == list(range(1, 10))
    assert all(0 < value < 1 for words in ("layer", "moved") for value in found["cosines"][words])
    assert found["shares"]["moved"][-1] > found["shares"]["layer"][-1]


def test_what_m_names_can_be_left_out_unless_it_is_all() -> None:
    named, inside = np.array([True, False, True, False]), np.array([True, False, False, False])
    found = spurious.left_out(named, inside, 0)
    assert found["random"].sum() == 2
    np.testing.assert_array_equal(found["named"], named)
    assert list(spurious.left_out(np.ones(4, dtype=bool), inside, 0)) == ["mark"]


def test_celeba_is_read_named_and_pasted_over(tmp_path: Path) -> None:
    """Faces of noise: those with glasses have a bright bar at the eyes."""
    rng = np.random.default_rng(0)

    def face(wears_glasses: bool) -> NDArray[np.uint8]:
        pixels = rng.integers(0, 200, (27, 22, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
        if wears_glasses:
            pixels[64:88, 24:152] = 250
        return pixels

    write_celeba(tmp_path, face=face)
    found = faces.celeba({"attribute": "Eyeglasses", "count": 15, "test": 8, "size": 24}, 0, find_images(tmp_path))
    assert found["accuracy"] == {"Laplace": 1.0, "RFM 1": 1.0}
    assert unpacked(found["mask"]).sum() == found["named"] > 0
    bar = np.zeros((24, 24), dtype=bool)
    bar[6:10, 2:18] = True
    assert unpacked(found["mask"])[bar].sum() > 4 * bar.mean() * found["named"]
    # With the pixels of faces without the bar in its place, no face wears glasses.
    assert found["pasted"]["RFM 1"]["named"] < 0.6
    assert found["pasted"]["RFM 1"]["random"] > 0.9


def test_named_pixels_are_those_of_the_published_scripts() -> None:
    diagonal = np.zeros((4, 2, 3))
    diagonal[0, 0, 1], diagonal[1, 1, 2], diagonal[2, 0, 0], diagonal[3, 1, 0] = 1.0, 0.5, 0.04, 0.9
    found = faces.named_pixels(diagonal.ravel(), (4, 2, 3), 3)
    assert [tuple(map(int, place)) for place in np.argwhere(found)] == [(1, 1)]  # not the largest, nor below row 3
    images_, template = np.zeros((2, 4, 2, 3), dtype=np.uint8), np.full((4, 2, 3), 7, dtype=np.uint8)
    np.testing.assert_array_equal(faces.pasted(images_, template, found)[:, 1, 1], 7)
    assert faces.pasted(images_, template, found).sum() == 2 * 3 * 7


def test_olivetti_faces_are_looked_at(tmp_path: Path) -> None:
    """The code's path on faces of noise, of which those with glasses have a bar where eyes are."""
    rng = np.random.default_rng(0)
    glasses, person = np.arange(80) % 2, np.arange(80) // 2
    pixels = rng.integers(0, 200, (80, 64, 64), dtype=np.uint8)
    pixels[glasses == 1, 12:18, 10:54] = 250
    np.savez(tmp_path / "olivetti_glasses.npz", images=pixels, glasses=glasses, person=person)
    found = faces.olivetti({"count": 20, "test": 8}, 0, find_images(tmp_path))
    assert found["accuracy"]["RFM 1"] == 1.0
    assert found["named"]["RFM 1"]["hits"] > 3 * found["area"] * found["named"]["RFM 1"]["count"]
    assert found["left out"]["random"]["RFM 1"] == 1.0
    assert found["left out"]["eyes"]["RFM 1"] < 0.9
    assert unpacked(found["mean_face"]).shape == (64, 64, 1)
