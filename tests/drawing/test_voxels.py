"""Tests of images of solids: the positions of voxels, occlusion, brightness and orientation."""

import numpy as np
import pytest

from jaxgan.drawing import voxels


def cube(n=8, *solid):
    values = np.full((1, n, n, n, 1), -1.0, np.float32)
    for place in solid:
        values[(0, *place)] = 1
    return values


def seen(image):
    return image[..., 0] < 1


def centre(image):
    return np.argwhere(seen(image)).mean(0)


def test_images_have_their_shape_range_and_background():
    noise = np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 8, 1))
    images = voxels.render_solids(noise)
    assert (images.shape, images.dtype) == ((3, 64, 64, 1), np.float32)
    assert -1 <= images.min() < images.max() == 1
    assert voxels.render_solids(np.ones((1, 40, 40, 40, 1))).shape == (1, 80, 80, 1)
    assert (voxels.render_solids(cube()) == 1).all()
    np.testing.assert_array_equal(voxels.render_solids(noise[..., 0]), images)


@pytest.mark.integration
@pytest.mark.parametrize(("turn", "axis"), [(0, 0), (90, 1)])
def test_a_voxel_is_drawn_at_its_position(turn, axis):
    """Check the position of a voxel against the formula of the projection.

    Without rotation, x points right and z points up. A pixel is 2 REACH n / size voxels wide, and heights are scaled by
    the cosine of the elevation.
    """
    first, right, up = ((1, 1, 1), (6 if axis == 0 else 1, 6 if axis == 1 else 1, 1), (1, 1, 6))
    at = [centre(voxels.render_solids(cube(8, place), 256, turn)[0]) for place in (first, right, up)]
    pixels = 256 / (2 * voxels.REACH * 8)
    np.testing.assert_allclose(at[1] - at[0], (0, 5 * pixels), atol=1)
    np.testing.assert_allclose(at[2] - at[0], (-5 * pixels * np.cos(np.radians(voxels.ELEVATION)), 0), atol=1)


def test_the_outline_of_a_voxel_is_the_projection_of_its_cube():
    """Its area is the sum of the areas of the projected faces, which are |n . direction| for a normal n."""
    azimuth, elevation = np.radians([30.0, voxels.ELEVATION])
    direction = [np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation)]
    image = voxels.render_solids(cube(4, (1, 2, 1)), 400, 30.0)[0]
    pixels = 400 / (2 * voxels.REACH * 4)
    assert seen(image).sum() == pytest.approx(np.sum(direction) * pixels**2, rel=0.01)
    tones = np.unique(image[seen(image)].round(1))
    assert len(tones) >= 3  # one for each visible face


def test_voxels_in_front_hide_voxels_behind():
    """The viewing direction is along y, so y = 0 is in front."""
    n, size = 8, 64
    wall = [(x, 2, z) for x in range(n) for z in range(n)]
    hidden = [(x, 5, z) for x in (2, 3) for z in (1, 2)]
    both = voxels.render_solids(cube(n, *wall, *hidden), size, 0.0)
    np.testing.assert_array_equal(both, voxels.render_solids(cube(n, *wall), size, 0.0))
    in_front = voxels.render_solids(cube(n, *wall, (2, 0, 2)), size, 0.0)
    assert (in_front != both).any()


def test_distant_voxels_are_darker():
    near, far = (voxels.render_solids(cube(8, (3, y, 3)), 64, 0.0)[0] for y in (0, 7))
    assert near[seen(near)].max() > far[seen(far)].max() + 0.1


def test_rotating_the_view_is_rotating_the_solid():
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8, 1))
    turned = np.rot90(noise, axes=(2, 1))
    np.testing.assert_allclose(
        voxels.render_solids(noise, turn=90 + 20.0), voxels.render_solids(turned, turn=20.0), atol=1e-5
    )


@pytest.mark.parametrize("up", [0, 1])
def test_another_axis_may_point_up(up):
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8))
    upright = noise.transpose(0, *(1 + (up + i) % 3 for i in (1, 2, 3)))  # the axes stay right-handed
    np.testing.assert_array_equal(voxels.render_solids(noise, up_axis=up), voxels.render_solids(upright))
    assert (voxels.render_solids(noise, up_axis=up) != voxels.render_solids(noise)).any()


def test_an_animation_is_one_full_rotation():
    one = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 8, 1))
    frames = voxels.render_turning(one.repeat(voxels.FRAMES_PER_TURN + 1, 0), 32)
    np.testing.assert_array_equal(frames[0], frames[-1])
    np.testing.assert_array_equal(frames[12], voxels.render_solids(one, 32, voxels.TURN + 90)[0])
    assert len(np.unique(frames.reshape(len(frames), -1), axis=0)) == voxels.FRAMES_PER_TURN


def test_invalid_shapes_raise():
    with pytest.raises(ValueError, match=r"`voxels` must be cubes \[N, n, n, n\] .* got shape \(1, 8, 8, 4, 1\)"):
        voxels.render_solids(np.zeros((1, 8, 8, 4, 1)))
