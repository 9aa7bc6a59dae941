"""Recolours a picture with a palette: bytes and values in, bytes and values out, nothing else.

A recolouring is good when the palette's colours are the ones you see, light stays light and dark
stays dark, gradients stay smooth, flat art is hit exactly and alpha is untouched. The steps, one
module each; colours are OKLab inside, 8-bit sRGB outside, and nothing is random:

    outline       what a file is, and what of it a decoder may see
    av1           how large the pictures in an AVIF really are
    picture       untrusted bytes → one upright sRGB picture, or a clear Hopeless
    analyse       which colours it has, which of them are flat, and whether it is flat art
    base_palette  its k main colours, for a palette of k
    match         which of them becomes which colour of the palette
    color_map     what happens to every colour in between
    tone          and, in photos, to lightness: one rising curve
    lut           the map as a small table that Pillow applies, exact at the main colours
    edges         antialiased edges of flat art, mixed anew from what their areas become
    template      flat art of few colours: the file written once, but for its table of colours
    hashing       what it looks like, in a few bits, to find duplicates
    scale         max_edge and thumbnails
    encode        WebP, JPEG, and PNG by a writer of its own: png

`source` keeps what can be shared by all palettes of a picture, `rendition` tells the story. The
command, `python -m palette_worker.rendering`, adds `arguments`, `whole_file`, `cube` (the table for
other programs) and `report` (how near a rendition is to its palette).
"""

from palette_worker.rendering.picture import Limits
from palette_worker.rendering.rendition import Rendition, render
from palette_worker.rendering.source import Source, decode

__all__ = ["Limits", "Rendition", "Source", "decode", "render"]
