"""What is odd about images and folders, and what that means to which trainer. A table; see `core.lint.claims`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hashmark.core.lint.claim import Claim, Severity
from hashmark.core.lint.facts import Trainer

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_K, _M, _D = Trainer.KOHYA, Trainer.MUSUBI, Trainer.DIFFUSION_PIPE
_A, _S, _O = Trainer.AI_TOOLKIT, Trainer.SIMPLETUNER, Trainer.ONETRAINER
_LOST = "The image is not trained on, and nothing says so."
_TURN = "It is trained on lying down or upside down."
_BAKE = "Turn the pixels and drop the tag (`exiftran -a`, `magick -auto-orient`)."
_CONVERT = "Convert it to PNG, JPEG or WebP."
_FLAT = "Move the images up, or name each subfolder as a dataset of its own."
_STEM = "Give each image a stem of its own."

IMAGES: Mapping[str, Mapping[Trainer | None, Claim]] = MappingProxyType(
    {
        # --- images: are they seen, and as what? ---
        "image-not-read": {
            _K: Claim(
                _E, "has a suffix that is not looked for: the image is left out", _LOST, _CONVERT, "sd-scripts folder"
            ),
            _M: Claim(
                _E, "has a suffix that is not looked for: the image is left out", _LOST, _CONVERT, "musubi folder"
            ),
            _A: Claim(
                _E, "has a suffix that is not looked for: the image is left out", _LOST, _CONVERT, "ai-toolkit folder"
            ),
            _O: Claim(
                _E, "has a suffix that is not looked for: the image is left out", _LOST, _CONVERT, "OneTrainer image"
            ),
        },
        "suffix-case": {
            _K: Claim(
                _E,
                "has a suffix in mixed case: only all small and all capitals are looked for",
                _LOST,
                "Rename the suffix in small letters.",
                "sd-scripts folder",
            ),
            _M: Claim(
                _E,
                "has a suffix in mixed case: only all small and all capitals are looked for",
                _LOST,
                "Rename the suffix in small letters.",
                "musubi folder",
            ),
        },
        "subfolder": {
            _K: Claim(_E, "lies in a subfolder, which is not looked into", _LOST, _FLAT, "sd-scripts folder"),
            _M: Claim(_E, "lies in a subfolder, which is not looked into", _LOST, _FLAT, "musubi folder"),
            _D: Claim(_E, "lies in a subfolder, which is not looked into", _LOST, _FLAT, "diffusion-pipe folder"),
            _O: Claim(
                _W,
                "lies in a subfolder, which is looked into only with include_subdirectories",
                _LOST,
                "Set it for the concept, or move the images up.",
                "OneTrainer folder",
            ),
        },
        "shared-stem": {
            None: Claim(
                _W,
                "shares its stem, and so its caption, with another image",
                "One caption can't be true of both.",
                _STEM,
                "pairs",
            ),
            _K: Claim(
                _W,
                "shares its stem with another image: their latent caches are one file if their sizes agree",
                "One image is trained twice and the other not at all.",
                _STEM,
                "sd-scripts cache",
            ),
            _M: Claim(
                _W,
                "shares its stem with another image: their caches are one file if their sizes agree",
                "One image is trained twice and the other not at all.",
                _STEM,
                "musubi cache",
            ),
        },
        "unreadable-image": {
            None: Claim(
                _E,
                "does not decode",
                "One such file stops or breaks a run, often after hours.",
                "Get it again, or move it out.",
                "corrupt",
            )
        },
        "wrong-suffix": {
            None: Claim(
                _W,
                "is not what its suffix says",
                "Readers that go by the name fail on it or read it differently.",
                "Rename it, or convert it.",
                "Pillow",
            )
        },
        "exif-rotation": {
            _K: Claim(_W, "is rotated by an EXIF tag, which is ignored", _TURN, _BAKE, "sd-scripts image"),
            _M: Claim(_W, "is rotated by an EXIF tag, which is ignored", _TURN, _BAKE, "musubi image"),
            _D: Claim(_W, "is rotated by an EXIF tag, which is ignored", _TURN, _BAKE, "diffusion-pipe caption"),
        },
        "animated": {
            None: Claim(
                _W,
                "has several frames, of which the first is read",
                "What moves is not trained.",
                "Save the frame that is meant.",
                "Pillow",
            ),
            _D: Claim(
                _E,
                "is an animated WebP: caching stops",
                "NotImplementedError: WebP videos are not supported.",
                "Save the frame that is meant.",
                "WebP frames",
            ),
        },
        "alpha": {
            None: Claim(
                _W,
                "has pixels that are not opaque",
                "Trainers drop the alpha channel, lay it on white or take it for a mask; what it hid may appear.",
                "Flatten it on the background that is meant, if it is not a mask.",
                "sd-scripts alpha",
            )
        },
        "tiny": {
            None: Claim(
                _W,
                "has a side under 256 pixels",
                "It is enlarged to the training resolution, and its blur is learned.",
                "Get a larger version, or move it out.",
                "sd-scripts buckets",
            )
        },
        "extreme-aspect": {
            None: Claim(
                _W,
                "is more than four times as long as wide",
                "It fits none of the usual aspect buckets (256 to 1024), and most of it is cropped away.",
                "Crop it to what matters.",
                "sd-scripts buckets",
            )
        },
        "duplicate": {
            None: Claim(
                _W,
                "has the same bytes as another image",
                "It counts twice, under one caption or two that disagree.",
                "Keep one, or use repeats.",
                "digest",
            )
        },
        "near-duplicate": {
            None: Claim(
                _W,
                "looks like another image",
                "It counts twice, under one caption or two that disagree.",
                "Compare both, and keep one if they are the same.",
                "dhash",
            )
        },
        # --- good to know ---
        "repeats": {
            _K: Claim(
                _N,
                "is read as repeats from the folder's name",
                "Renaming the folder changes the training.",
                "",
                "sd-scripts repeats",
            ),
            _S: Claim(
                _N,
                "is kohya's number of passes; `repeats` here counts those after the first",
                "The same training needs one less.",
                "",
                "SimpleTuner repeats",
            ),
        },
        "no-repeats": {
            _K: Claim(
                _N,
                "has no number in front: under train_data_dir the folder is left out",
                "With image_dir in a dataset_config it is read.",
                "",
                "sd-scripts repeats",
            )
        },
        "caption-extension": {
            _K: Claim(
                _N,
                "is what captions end in, and is read only with caption_extension set: the default is .caption",
                "Without it every image has the class token for a prompt.",
                "",
                "sd-scripts caption",
            )
        },
    }
)
"""By code and trainer; None for what does not depend on the trainer."""
