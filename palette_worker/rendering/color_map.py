"""What happens to every colour, given what happens to the main ones.

Each base colour b with target t carries its own map, exact at b, of what a colour has besides b:
lightness is stretched by a slope g, the plane of a and b is turned from b's hue to t's and scaled
by r along the hue (chroma) and by q across it (hue variation). What lies far off in that plane is
pulled in as b moves, so that leftover hues become tints of the palette. A colour's image is the
mean of what these maps make of it, weighted by how near the base colours are: Shepard's
interpolation (Proc. 23rd ACM National Conference, 1968) with power 3, of local maps instead of
values. Hence f(b) = t, f is smooth, and f is the identity where every t equals its b.

Two things are better done for the picture as a whole. Lightness, where light is to stay light,
follows one rising curve (`tone`), lest shading go up and down. And where lightness tells a colour
nearly all, as in a sepia print, so does the change of hue: by nearness alone each of five unlike
colours would take a band of the greys for itself, with a contour between any two.
"""

from __future__ import annotations

import numpy as np

from palette_worker.rendering.oklab import Floats
from palette_worker.rendering.tone import tone_curve

_LIGHTNESS = 0.49  # weight of ΔL² in distances: hue tells objects apart better than shading does
_AT_THE_COLOR = 1e-9  # squared distance at which a base colour has all the weight
_SLOPES = (0.45, 1.3)  # flatter loses the modelling of an object, steeper shows noise as contrast
_TOO_NEAR = 0.05  # of L: neighbours that say nothing reliable about a slope
_GREY = 0.015  # chroma below which a hue is noise
_CHROMA_GAINS = (0.2, 1.25)
_CHROMA_FLOOR = 0.02  # keeps the ratio of two small chromas calm
_HUE_VARIATION = 0.35  # kept across the hue when a colour moves far
_FAR = 0.10  # distance in the ab plane at which a move counts as far
_TINT = 0.06  # in the ab plane: what is so far off a colour that moves keeps half of its distance
_FAR_IN_FLAT_ART = 0.04  # there, what is not a main colour becomes a tint of one
_TONE_SLOPES = (0.18, 6.0)  # flatter, pastels leave no face; steeper, noise is grain
_TOGETHER = 0.05  # of L_r: main colours so near part by hue, and by lightness as that goes
_BY_LIGHTNESS = 0.8  # how much of a one-hue picture's change of hue goes by its lightness alone


def mapped(
    lab: Floats,
    base: Floats,
    targets: Floats,
    *,
    is_flat: bool,
    preserve_luminance: bool,
    one_hue: float = 0.0,
) -> Floats:
    """Return f(lab), shape (n, 3), not yet in gamut; base and targets are pairs, shape (k, 3).

    With `preserve_luminance` light and dark keep their order: in flat art the slopes follow the
    palette's own steps, elsewhere the tone curve leads, and main colours may miss their targets'
    lightness by what it takes. Without, every main colour takes its target's lightness whatever
    its neighbours take, and shading around it stays as it is (slope 1). `one_hue` (0 to 1) tells
    how much of a colour follows from its lightness in this picture.
    """
    weights = _weights(lab, base)
    if preserve_luminance and not is_flat:
        lightness = _lightness(lab, base, targets, weights, _TOGETHER * (1 - one_hue))
    else:
        slopes = _slopes(base, targets) if preserve_luminance else np.ones(len(base))
        lightness = (
            weights @ (targets - slopes[:, None] * base)[:, 0] + weights @ slopes * lab[:, 0]
        )
    hue = _turned(lab, base, targets, weights, is_flat=is_flat)
    if one_hue and not is_flat:
        hue += _BY_LIGHTNESS * one_hue * (_by_lightness(lab, base, targets, weights) - hue)
    return np.column_stack((lightness, hue))


def _turned(
    lab: Floats, base: Floats, targets: Floats, weights: Floats, *, is_flat: bool
) -> Floats:
    """Return a and b, shape (n, 2), as the maps of the main colours make them."""
    besides = lab[:, None, 1:] - base[:, 1:]
    if not is_flat:
        reach = np.hypot(besides[..., 0], besides[..., 1]) * (1 - _stayed(base, targets))
        besides /= (1 + reach / _TINT)[..., None]
    maps = _local_maps(base, targets, is_flat=is_flat).transpose(0, 2, 1)
    besides *= weights[..., None]
    turned: Floats = weights @ targets[:, 1:]
    turned += besides.reshape(len(lab), -1) @ maps.reshape(-1, 2)
    return turned


def _lightness(
    lab: Floats, base: Floats, targets: Floats, weights: Floats, together: float
) -> Floats:
    """Return the curve's lightness, and nearby what it cannot give a main colour.

    That is, where two of like lightness are to part, or to change their order.
    """
    of, to = base[:, 0], targets[:, 0]
    missing = to - tone_curve(of, of, to, together=together)
    curve = tone_curve(lab[:, 0], of, to, slopes=_TONE_SLOPES, together=together)
    lightness: Floats = curve + weights @ missing
    return lightness


def _by_lightness(lab: Floats, base: Floats, targets: Floats, weights: Floats) -> Floats:
    """Return a and b, shape (n, 2), as the main colours next in lightness suggest.

    Linear between them; where two of like lightness differ, nearness decides. What a colour has of
    its own beside its lightness fades as the main colours move.
    """
    order = np.argsort(base[:, 0], kind="stable")
    own = _stayed(base, targets).min()
    ends = targets[order, 1:] - own * base[order, 1:]

    def at(lightness: Floats) -> Floats:
        return np.column_stack([np.interp(lightness, base[order, 0], end) for end in ends.T])

    moved: Floats = own * lab[:, 1:] + at(lab[:, 0])
    moved += weights[:, order] @ (ends - at(base[order, 0]))
    return moved


def _stayed(base: Floats, targets: Floats) -> Floats:
    """Return 1 for main colours that keep hue and chroma, less for those that move, shape (k,)."""
    stayed: Floats = np.exp(-(((targets - base)[:, 1:] ** 2).sum(axis=1)) / _FAR**2)
    return stayed


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


def _local_maps(base: Floats, targets: Floats, *, is_flat: bool) -> Floats:
    """Return u_t · diag(r, q) · u_bᵀ, shape (k, 2, 2), for what a colour has besides b in a, b."""
    from_chroma, to_chroma = _chroma(base), _chroma(targets)
    from_grey, to_grey = from_chroma <= _GREY, to_chroma <= _GREY
    if is_flat:
        moved = np.hypot(*(targets - base)[:, 1:].T)
        along = across = np.exp(-((moved / _FAR_IN_FLAT_ART) ** 2))
    else:
        gain = (to_chroma + _CHROMA_FLOOR) / (from_chroma + _CHROMA_FLOOR)
        along = np.clip(gain, *_CHROMA_GAINS)
        # grey is off a colour by its chroma: scaled less than that is, it would pass to the other
        # side and come out in the complement's hue
        to_grey_at_most = to_chroma / np.maximum(from_chroma, _GREY)
        along = np.where(from_grey, along, np.minimum(along, to_grey_at_most))
        stayed = _stayed(base, targets)
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
    maps: Floats = to_hue @ scaling @ from_hue.transpose(0, 2, 1)
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
