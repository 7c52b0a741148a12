from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lobule.data.phantom.canvas import Blob, Canvas
from lobule.data.phantom.nuclei import Look, Nuclei, apart, at, draw, fill, line

REGULAR = Look(4.5, 3.0, variety=0.0, dents=0.0, vesicular=0.0)


def one_nucleus(x: float, y: float, *, major: float = 5.0, minor: float = 3.0, angle: float = 0.0) -> Nuclei:
    values = (x, y, major, minor, angle, 1.0, 0.0, 0.0, 0.0, 0.0)
    return Nuclei(*(np.array([value], dtype=np.float32) for value in values))


def duct() -> Canvas:
    canvas = Canvas(np.random.default_rng(0))
    canvas.add([Blob(700, 500, 60, 45, 0.3, 12, dents=0.0)])
    return canvas


@pytest.mark.parametrize("scale", [0.7, 1.75, 3.5, 7.0])
def test_a_nucleus_covers_its_area_at_every_scale(scale: float) -> None:
    drawn = draw(one_nucleus(50, 40, angle=0.6), (int(80 * scale), int(100 * scale)), corner=(0, 0), scale=scale)
    assert drawn.sum() / scale**2 == pytest.approx(np.pi * 5 * 3, rel=0.12)
    rows, columns = np.nonzero(drawn > 0.5)
    assert (columns.mean() / scale, rows.mean() / scale) == pytest.approx((50, 40), abs=0.6 / scale + 0.1)


def test_a_nucleus_lies_along_its_angle() -> None:
    drawn = draw(one_nucleus(30, 30, major=8, minor=2, angle=np.pi / 2), (120, 120), corner=(0, 0), scale=2.0)
    rows, columns = np.nonzero(drawn > 0.5)
    assert np.ptp(rows) > 2.5 * np.ptp(columns)


def test_what_lies_outside_the_window_is_cut_off() -> None:
    shifted = draw(one_nucleus(0, 10), (40, 40), corner=(0, 0), scale=2.0)
    whole = draw(one_nucleus(10, 10), (40, 40), corner=(0, 0), scale=2.0)
    np.testing.assert_allclose(shifted[:, :20], whole[:, 20:], atol=1e-5)
    assert draw(one_nucleus(-30, 10), (40, 40), corner=(0, 0), scale=2.0).max() == 0


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), max_size=60),
    st.floats(1, 20),
)
def test_points_kept_apart_are_as_many_as_possible(points: list[tuple[float, float]], least: float) -> None:
    array = np.array(points, dtype=float).reshape(-1, 2)
    kept = apart(array, least)
    distance = np.linalg.norm(array[:, None] - array[None, :], axis=2)
    among_kept = distance[np.ix_(kept, kept)][~np.eye(kept.sum(), dtype=bool)]
    assert (among_kept > least * (1 - 1e-9)).all()
    assert (distance[:, kept].min(axis=1, initial=np.inf) <= least).all()


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([2.0, 5.5]))
def test_a_row_of_nuclei_lies_upright_at_its_depth(depth: float) -> None:
    canvas = duct()
    nuclei = line(canvas, REGULAR, depth, 7.4, where=np.full_like(canvas.epithelium, -1.0))
    points = np.column_stack([nuclei.x, nuclei.y])
    assert np.abs(at(canvas.epithelium, points) + depth).max() < 2.1
    circumference = 2 * np.pi * np.sqrt((60**2 + 45**2) / 2)
    assert 0.6 * circumference / 7.4 < len(nuclei) < 1.2 * circumference / 7.4
    outward = points - [700, 500]
    cosine = np.abs(outward @ [1, 0] * np.cos(nuclei.angle) + outward @ [0, 1] * np.sin(nuclei.angle))
    assert np.median(cosine / np.linalg.norm(outward, axis=1)) > 0.9


def test_filling_stays_where_it_is_asked_to() -> None:
    canvas = duct()
    nuclei = fill(canvas, REGULAR, 9.0, where=canvas.epithelium + 3)
    points = np.column_stack([nuclei.x, nuclei.y])
    assert at(canvas.epithelium, points).max() < -3
    assert len(nuclei) == pytest.approx(np.pi * 57 * 42 / (9.0**2 * 0.866), rel=0.3)
