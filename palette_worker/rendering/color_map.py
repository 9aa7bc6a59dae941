"""What happens to every colour, given what happens to the main ones.

Each base colour b with target t carries its own affine map, exact at b: lightness is stretched by
a slope g, the plane of a and b is turned from b's hue to t's and scaled by r along the hue (chroma)
and by q across it (hue variation). A colour's image is the mean of what these maps make of it,
weighted by how near the base colours are: Shepard's interpolation (Proc. 23rd ACM National
Conference, 1968) with power 3, of local maps instead of values. Hence f(b) = t, f is smooth, and f
is the identity where every t equals its b.
"""

from __future__ import annotations

import numpy as np

from palette_worker.rendering.oklab import Floats

_LIGHTNESS = 0.49  # weight of ΔL² in distances: hue tells objects apart better than shading does
_AT_THE_COLOR = 1e-9  # squared distance at which a base colour has all the weight
_SLOPES = (0.45, 1.3)  # flatter loses the modelling of an object, steeper shows noise as contrast
_TOO_NEAR = 0.05  # of L: neighbours that say nothing reliable about a slope
_GREY = 0.015  # chroma below which a hue is noise
_CHROMA_GAINS = (0.2, 1.25)
_CHROMA_FLOOR = 0.02  # keeps the ratio of two small chromas calm
_HUE_VARIATION = 0.35  # kept across the hue when a colour moves far
_FAR = 0.10  # distance in the ab plane at which a move counts as far
_FAR_IN_FLAT_ART = 0.04  # there, what is not a main colour becomes a tint of one


def mapped(
    lab: Floats, base: Floats, targets: Floats, *, is_flat: bool, preserve_luminance: bool
) -> Floats:
    """Return f(lab), shape (n, 3), not yet in gamut; base and targets are pairs, shape (k, 3).

    With `preserve_luminance` the lightness slopes follow the palette's own steps, so light and
    dark keep their order across base colours. Without, every main colour takes its target's
    lightness whatever its neighbours take, and shading around it stays as it is (slope 1).
    """
    slopes = _slopes(base, targets) if preserve_luminance else np.ones(len(base))
    maps = _local_maps(base, targets, slopes, is_flat=is_flat)
    offsets = targets - np.einsum("kij,kj->ki", maps, base)
    weights = _weights(lab, base)
    blended = (weights @ maps.reshape(-1, 9)).reshape(-1, 3, 3)
    image: Floats = np.einsum("nij,nj->ni", blended, lab) + weights @ offsets
    return image


def _weights(lab: Floats, base: Floats) -> Floats:
    squared = _LIGHTNESS * (lab[:, None, 0] - base[None, :, 0]) ** 2 + _AT_THE_COLOR
    squared += (lab[:, None, 1] - base[None, :, 1]) ** 2
    squared += (lab[:, None, 2] - base[None, :, 2]) ** 2
    weights: Floats = 1 / (squared * np.sqrt(squared))
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _slopes(base: Floats, targets: Floats) -> Floats:
    """Return dL'/dL at each base colour, from its neighbours in lightness; black and white stay."""
    order = np.argsort(base[:, 0], kind="stable")
    before = np.concatenate(([0.0], base[order, 0], [1.0]))
    after = np.concatenate(([0.0], targets[order, 0], [1.0]))
    run = before[2:] - before[:-2]
    rise = after[2:] - after[:-2]
    slopes = np.ones(len(base))
    slopes[order] = np.where(run > _TOO_NEAR, rise / np.maximum(run, _TOO_NEAR), 1.0)
    return np.clip(slopes, *_SLOPES)


def _local_maps(base: Floats, targets: Floats, slopes: Floats, *, is_flat: bool) -> Floats:
    """Return the linear parts, shape (k, 3, 3): slopes on L, u_t · diag(r, q) · u_bᵀ on (a, b)."""
    from_chroma, to_chroma = _chroma(base), _chroma(targets)
    from_grey, to_grey = from_chroma <= _GREY, to_chroma <= _GREY
    moved = np.hypot(*(targets - base)[:, 1:].T)
    if is_flat:
        along = across = np.exp(-((moved / _FAR_IN_FLAT_ART) ** 2))
    else:
        gain = (to_chroma + _CHROMA_FLOOR) / (from_chroma + _CHROMA_FLOOR)
        along = np.clip(gain, *_CHROMA_GAINS)
        stayed = np.exp(-((moved / _FAR) ** 2))
        across = stayed + (1 - stayed) * np.minimum(along, 1) * _HUE_VARIATION
        # A grey cannot tell where the colours around it go. Left alone they would shine through
        # (a teal highlight on what is now an orange ball), so they fade as the others move.
        fading = np.where(from_grey, stayed.min(), 1.0)
        along, across = along * fading, across * fading
    scaling = np.zeros((len(base), 2, 2))
    scaling[:, 0, 0], scaling[:, 1, 1] = along, across

    # a grey has no hue of its own and takes its partner's; two greys need no turning
    from_hue, to_hue = _turns(base), _turns(targets)
    from_hue = np.where(from_grey[:, None, None], to_hue, from_hue)
    to_hue = np.where(to_grey[:, None, None], from_hue, to_hue)

    maps = np.zeros((len(base), 3, 3))
    maps[:, 0, 0] = slopes
    maps[:, 1:, 1:] = to_hue @ scaling @ from_hue.transpose(0, 2, 1)
    return maps


def _chroma(lab: Floats) -> Floats:
    chroma: Floats = np.hypot(lab[:, 1], lab[:, 2])
    return chroma


def _turns(lab: Floats) -> Floats:
    """Return the rotations, shape (k, 2, 2), that take the a axis to each colour's hue."""
    angle = np.arctan2(lab[:, 2], lab[:, 1])  # of black and white: 0, which is as good as any
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.stack(
        (np.stack((cosine, -sine), axis=-1), np.stack((sine, cosine), axis=-1)), axis=-2
    )
