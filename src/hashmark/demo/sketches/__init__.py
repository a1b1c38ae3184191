"""The content of the sample library: drawings and their captions, generated from a seed.

A seed determines a scene; `image` draws it and `caption` describes it, so the two agree. Knows no files, clocks or
shared random state: the same seed gives the same text, and with the same version of Pillow the same image.
"""

from hashmark.demo.sketches.captions import caption, profile
from hashmark.demo.sketches.dirt import dirty_caption
from hashmark.demo.sketches.picture import image

__all__ = ["caption", "dirty_caption", "image", "profile"]
