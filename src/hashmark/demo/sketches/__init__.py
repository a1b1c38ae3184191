"""The content of the sample library: drawings and their captions, made from a number and nothing else.

A seed decides a scene; `image` draws it and `caption` describes it, so the two agree. Refuses to
know files, folders, clocks and shared randomness: a seed goes in, bytes or text come out, the same
every time (for images: on the same Pillow).
"""

from hashmark.demo.sketches.captions import caption, profile
from hashmark.demo.sketches.dirt import dirty_caption
from hashmark.demo.sketches.picture import image

__all__ = ["caption", "dirty_caption", "image", "profile"]
