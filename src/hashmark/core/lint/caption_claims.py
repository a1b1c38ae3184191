"""What is odd about captions, and what that means to which trainer. A table; see `core.lint.claims`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hashmark.core.lint.claim import Claim, Severity
from hashmark.core.lint.facts import Trainer

_E, _W = Severity.ERROR, Severity.WARNING
_K, _M, _D = Trainer.KOHYA, Trainer.MUSUBI, Trainer.DIFFUSION_PIPE
_A, _S, _O = Trainer.AI_TOOLKIT, Trainer.SIMPLETUNER, Trainer.ONETRAINER
_NO_WORDS = "The model learns the image without words, and ties its look to the empty prompt."
_WRITE = "Write a caption."
_FIND = "Write a caption, or move the image out."
_UTF8 = "Save it as UTF-8: `hashmark clean`."
_NO_BOM = "Save it without the mark: `hashmark clean`."
_BOM_WHY = "The mark is a token of its own before the first word, in which a trigger word often stands."
_MARK = "begins with a byte order mark, which stays in the prompt as U+FEFF"
_LOST = "The image is not trained on, and nothing says so."

_UNFOLD = "Rename the folder and write a caption."
_FOLDER_STOPS = "has a folder where its caption should be: training stops"

CAPTIONS: Mapping[str, Mapping[Trainer | None, Claim]] = MappingProxyType(
    {
        # --- captions: is there one, and can it be read? ---
        "missing-caption": {
            _K: Claim(
                _W,
                "has no caption: the folder's class token is its prompt",
                "All such images share one prompt, which does not say what differs between them.",
                _WRITE,
                "sd-scripts caption",
            ),
            _M: Claim(_E, "has no caption: the image is left out without a word", _LOST, _FIND, "musubi folder"),
            _D: Claim(
                _E,
                "has no caption: the image is skipped (unless skip_empty_caption is off)",
                "The image is not trained on; one line in the log says so.",
                _FIND,
                "diffusion-pipe caption",
            ),
            _A: Claim(
                _W, "has no caption: the default caption or none is its prompt", _NO_WORDS, _WRITE, "ai-toolkit caption"
            ),
            _S: Claim(
                _E,
                "has no caption: FileNotFoundError",
                "Training does not start.",
                _FIND,
                "SimpleTuner caption",
            ),
            _O: Claim(_W, "has no caption: the prompt is empty", _NO_WORDS, _WRITE, "OneTrainer caption"),
        },
        "borrowed-caption": {
            _K: Claim(
                _W,
                "has no caption of its own: that of the name without its last four `_` parts is read",
                "A fallback for face crops gives the image another image's caption.",
                _WRITE,
                "sd-scripts caption",
            )
        },
        "zero-byte-caption": {
            _K: Claim(
                _E,
                "has no bytes: training stops",
                "AssertionError: caption file is empty.",
                _WRITE,
                "sd-scripts caption",
            ),
            _M: Claim(_W, "has no bytes: the prompt is empty", _NO_WORDS, _WRITE, "musubi caption"),
            _D: Claim(_W, "has no bytes: the prompt is empty", _NO_WORDS, _WRITE, "diffusion-pipe caption"),
            _A: Claim(
                _W, "has no bytes: the default caption or none is the prompt", _NO_WORDS, _WRITE, "ai-toolkit caption"
            ),
            _S: Claim(_W, "has no bytes: the prompt is empty", _NO_WORDS, _WRITE, "SimpleTuner caption"),
            _O: Claim(_W, "has no bytes: the prompt is empty", _NO_WORDS, _WRITE, "OneTrainer caption"),
        },
        "blank-caption": {
            _K: Claim(_W, "holds only blanks: the prompt is empty", _NO_WORDS, _WRITE, "sd-scripts caption"),
            _M: Claim(_W, "holds only blanks: the prompt is empty", _NO_WORDS, _WRITE, "musubi caption"),
            _D: Claim(_W, "holds only blanks: the prompt is empty", _NO_WORDS, _WRITE, "diffusion-pipe caption"),
            _A: Claim(
                _W,
                "holds only blanks: the default caption or none is the prompt",
                _NO_WORDS,
                _WRITE,
                "ai-toolkit caption",
            ),
            _S: Claim(
                _W, "holds only blanks: the prompt is blank, or there is none", _NO_WORDS, _WRITE, "SimpleTuner caption"
            ),
            _O: Claim(_W, "holds only blanks: the prompt is empty", _NO_WORDS, _WRITE, "OneTrainer caption"),
        },
        "blank-first-line": {
            _K: Claim(
                _E,
                "begins with a blank line, and only the first is read: the prompt is empty",
                "The caption is lost, although the file looks correct.",
                "Drop the blank line: `hashmark clean`.",
                "sd-scripts caption",
            )
        },
        "several-lines": {
            _K: Claim(
                _W,
                "has several lines: only the first is read (with enable_wildcard, one by chance)",
                "What the other lines say is not trained.",
                "Join the lines: `hashmark clean` with `newlines`.",
                "sd-scripts caption",
            ),
            _S: Claim(
                _W,
                "has several lines: each is a caption of its own, of which one is taken",
                "Sentences that belong together are torn apart (unless disable_multiline_split is set).",
                "Join the lines: `hashmark clean` with `newlines`; or leave them, if variants are meant.",
                "SimpleTuner caption",
            ),
            _O: Claim(
                _W,
                "has several lines: each is a caption of its own, of which one is taken",
                "Sentences that belong together are torn apart.",
                "Join the lines: `hashmark clean` with `newlines`; or leave them, if variants are meant.",
                "OneTrainer caption",
            ),
        },
        "byte-order-mark": {
            _K: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "sd-scripts caption"),
            _M: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "musubi caption"),
            _D: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "diffusion-pipe caption"),
            _A: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "ai-toolkit caption"),
            _S: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "SimpleTuner caption"),
            _O: Claim(_W, _MARK, _BOM_WHY, _NO_BOM, "OneTrainer caption"),
        },
        "not-utf-8": {
            _K: Claim(_E, "is not UTF-8: training stops", "UnicodeDecodeError.", _UTF8, "sd-scripts caption"),
            _M: Claim(_E, "is not UTF-8: training stops", "UnicodeDecodeError.", _UTF8, "musubi caption"),
            _D: Claim(
                _E,
                "is not UTF-8, and is read in the machine's own encoding: it stops there, or reads other characters",
                "The same folder trains differently on another machine.",
                _UTF8,
                "diffusion-pipe caption",
            ),
            _A: Claim(_E, "is not UTF-8: training stops", "UnicodeDecodeError.", _UTF8, "ai-toolkit caption"),
            _S: Claim(
                _E,
                "is not UTF-8: an error in the log, and no caption",
                "The image is left without its words.",
                _UTF8,
                "SimpleTuner caption",
            ),
            _O: Claim(_E, "is not UTF-8: training ends", "The reader ends the program.", _UTF8, "OneTrainer caption"),
        },
        "caption-not-read": {
            _D: Claim(
                _E,
                "is no .txt: it is taken for an image and skipped, and its image has no caption",
                "The image is skipped too.",
                "Rename it to .txt.",
                "diffusion-pipe folder",
            ),
            _S: Claim(
                _E,
                "is no .txt: its image has no caption",
                "Training does not start.",
                "Rename it to .txt.",
                "SimpleTuner caption",
            ),
            _O: Claim(_E, "is no .txt: the prompt is empty", _NO_WORDS, "Rename it to .txt.", "OneTrainer names"),
        },
        "caption-name": {
            None: Claim(
                _W,
                "has a caption that is not found by its name",
                "Trainers look for the image's stem and the suffix, letter by letter.",
                "Rename the caption to the image's stem.",
                "pairs",
            )
        },
        "several-captions": {
            None: Claim(
                _W,
                "has several captions of its stem",
                "Trainers read different ones, and an edit of one is not seen by the other.",
                "Keep one.",
                "pairs",
            )
        },
        "orphan-caption": {
            None: Claim(
                _W,
                "is a caption without an image",
                "No trainer reads it; its image may be missing or misnamed.",
                "Look for the image, or move the caption out.",
                "pairs",
            )
        },
        "caption-is-folder": {
            None: Claim(
                _W,
                "has a folder where its caption should be",
                "Nothing can be read from it.",
                _UNFOLD,
                "pairs",
            ),
            _M: Claim(_E, _FOLDER_STOPS, "Names are listed without checking what they are.", _UNFOLD, "musubi folder"),
            _D: Claim(_E, _FOLDER_STOPS, "It exists, so it is opened.", _UNFOLD, "diffusion-pipe folder"),
            _A: Claim(_E, _FOLDER_STOPS, "It exists, so it is opened.", _UNFOLD, "ai-toolkit caption"),
            _S: Claim(
                _E,
                "has a folder where its caption should be: an error in the log, and no caption",
                "The image is left without its words.",
                _UNFOLD,
                "SimpleTuner caption",
            ),
            _O: Claim(_E, _FOLDER_STOPS, "It exists, so it is opened.", _UNFOLD, "OneTrainer caption"),
        },
        "huge-caption": {
            None: Claim(
                _E,
                "is larger than a mebibyte, and is no caption",
                "Trainers read it whole, and keep a small part.",
                "Find out what the file is, and write a caption.",
                "CLIP",
            )
        },
        "long-caption": {
            None: Claim(
                _W,
                "takes more than 75 CLIP tokens: what follows is not read by SD 1.5, SDXL and other CLIP encoders",
                "A trigger or detail at the end is not trained. T5 and LLM encoders read more.",
                "Shorten it, or raise max_token_length where the trainer splits long prompts.",
                "CLIP",
            )
        },
        "unmarked-utf-16": {
            None: Claim(
                _E,
                "looks like UTF-16 without its mark, and is read as UTF-8: other characters",
                "The model learns the image with characters that are not words.",
                "Open it in an editor with its real encoding, and save it as UTF-8.",
                "UTF-16",
            )
        },
        "suspect-caption": {
            None: Claim(
                _W,
                "reads like a model's refusal or chat",
                "The model learns those words with the image.",
                "Read it, and write a caption.",
                "refusals",
            )
        },
        "aggregate-captions": {
            None: Claim(
                _W,
                "holds captions for many images",
                "Hugging Face ImageFolder and kohya's metadata mode read it instead of the caption files.",
                "Keep one of the two.",
                "ImageFolder",
            ),
            _D: Claim(
                _E,
                "is read instead of every .txt file",
                "Captions edited in the .txt files are not trained.",
                "Move it out, or edit the captions in it.",
                "diffusion-pipe folder",
            ),
        },
    }
)
"""By code and trainer; None for what does not depend on the trainer."""
