"""Solids as pictures: where a voxel is seen, what hides what, and which way is up."""

import numpy as np
import pytest

from jaxgan.media import voxels


def cube(n=8, *solid):
    values = np.full((1, n, n, n, 1), -1.0, np.float32)
    for place in solid:
        values[(0, *place)] = 1
    return values


def seen(image):
    return image[..., 0] < 1


def centre(image):
    return np.argwhere(seen(image)).mean(0)


def test_shape_range_and_background():
    noise = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 8, 1))
    images = voxels.render_solids(noise)
    assert (images.shape, images.dtype) == ((3, 64, 64, 1), np.float32)
    assert -1 <= images.min() < images.max() == 1
    assert voxels.render_solids(np.ones((1, 40, 40, 40, 1))).shape == (1, 80, 80, 1)
    assert (voxels.render_solids(cube()) == 1).all()
    np.testing.assert_array_equal(voxels.render_solids(noise[..., 0]), images)


@pytest.mark.integration
@pytest.mark.parametrize(("turn", "axis"), [(0, 0), (90, 1)])
def test_where_a_voxel_is_seen(turn, axis):
    """Not turned, x is to the right and z up; a pixel is 2 REACH n / size voxels; heights shrink by cos of the elevation."""
    first, right, up = ((1, 1, 1), (6 if axis == 0 else 1, 6 if axis == 1 else 1, 1), (1, 1, 6))
    at = [centre(voxels.render_solids(cube(8, place), 256, turn)[0]) for place in (first, right, up)]
    pixels = 256 / (2 * voxels.REACH * 8)
    np.testing.assert_allclose(at[1] - at[0], (0, 5 * pixels), atol=1)
    np.testing.assert_allclose(at[2] - at[0], (-5 * pixels * np.cos(np.radians(voxels.ELEVATION)), 0), atol=1)


def test_a_voxels_outline_is_the_projection_of_its_cube():
    """From a corner, a hexagon; its area is the sum of the projected faces', |n . direction| each."""
    azimuth, elevation = np.radians([30.0, voxels.ELEVATION])
    direction = [np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)]
    image = voxels.render_solids(cube(4, (1, 2, 1)), 400, 30.0)[0]
    pixels = 400 / (2 * voxels.REACH * 4)
    assert seen(image).sum() == pytest.approx(np.sum(direction) * pixels**2, rel=0.01)
    tones = np.unique(image[seen(image)].round(1))
    assert len(tones) >= 3  # a face each


def test_what_is_nearer_hides_what_is_behind():
    """The eye looks along y: y = 0 is in front."""
    n, size = 8, 64
    wall = [(x, 2, z) for x in range(n) for z in range(n)]
    hidden = [(x, 5, z) for x in (2, 3) for z in (1, 2)]
    both = voxels.render_solids(cube(n, *wall, *hidden), size, 0.0)
    np.testing.assert_array_equal(both, voxels.render_solids(cube(n, *wall), size, 0.0))
    in_front = voxels.render_solids(cube(n, *wall, (2, 0, 2)), size, 0.0)
    assert (in_front != both).any()


def test_farther_is_darker():
    near, far = (voxels.render_solids(cube(8, (3, y, 3)), 64, 0.0)[0] for y in (0, 7))
    assert near[seen(near)].max() > far[seen(far)].max() + 0.1


def test_turning_the_eye_is_turning_the_solid():
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8, 1))
    turned = np.rot90(noise, axes=(2, 1))
    np.testing.assert_allclose(
        voxels.render_solids(noise, turn=90 + 20.0), voxels.render_solids(turned, turn=20.0), atol=1e-5
    )


@pytest.mark.parametrize("up", [0, 1])
def test_another_axis_may_point_up(up):
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8))
    upright = noise.transpose(0, *(1 + (up + i) % 3 for i in (1, 2, 3)))  # right-handed still
    np.testing.assert_array_equal(voxels.render_solids(noise, up_axis=up), voxels.render_solids(upright))
    assert (voxels.render_solids(noise, up_axis=up) != voxels.render_solids(noise)).any()


def test_an_animation_turns_once_around():
    one = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8, 1))
    frames = voxels.render_turning(one.repeat(voxels.FRAMES_PER_TURN + 1, 0), 32)
    np.testing.assert_array_equal(frames[0], frames[-1])
    np.testing.assert_array_equal(frames[12], voxels.render_solids(one, 32, voxels.TURN + 90)[0])
    assert len(np.unique(frames.reshape(len(frames), -1), axis=0)) == voxels.FRAMES_PER_TURN


def test_what_is_no_cube():
    with pytest.raises(ValueError, match=r"`voxels` must be cubes, \[N, n, n, n\] .* got shape \(1, 8, 8, 4, 1\)"):
        voxels.render_solids(np.zeros((1, 8, 8, 4, 1)))
