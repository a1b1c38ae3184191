"""Where each claim of `core.lint` about a trainer was read: repository, file and function, or thread.

Read in 2025 and 2026, at the newest version that could be had. What is claimed is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "sd-scripts caption": "kohya-ss/sd-scripts library/train_util.py, DreamBoothDataset, read_caption",
        "sd-scripts folder": "kohya-ss/sd-scripts library/train_util.py, glob_images and load_dreambooth_dir",
        "sd-scripts image": "kohya-ss/sd-scripts library/train_util.py, load_image (no EXIF); issue 1316",
        "sd-scripts cache": "kohya-ss/sd-scripts library/strategy_sd.py, get_latents_npz_path; issue 12",
        "sd-scripts repeats": (
            "kohya-ss/sd-scripts library/config_util.py, generate_dreambooth_subsets_config_by_subdirs"
        ),
        "sd-scripts buckets": (
            "kohya-ss/sd-scripts library/train_util.py, defaults of --min_bucket_reso and --max_bucket_reso"
        ),
        "sd-scripts alpha": "kohya-ss/sd-scripts library/train_util.py, load_image; pull request 1223",
        "musubi caption": "kohya-ss/musubi-tuner src/musubi_tuner/dataset/datasources.py, get_caption",
        "musubi folder": "kohya-ss/musubi-tuner src/musubi_tuner/dataset/media_utils.py, glob_images",
        "musubi image": "kohya-ss/musubi-tuner src/musubi_tuner/dataset/datasources.py, get_image_data; issue 695",
        "musubi cache": (
            "kohya-ss/musubi-tuner src/musubi_tuner/dataset/image_video_dataset.py, get_latent_cache_path"
        ),
        "diffusion-pipe caption": "tdrussell/diffusion-pipe utils/dataset.py, DirectoryDataset._metadata_map_fn",
        "diffusion-pipe folder": (
            "tdrussell/diffusion-pipe utils/dataset.py, DirectoryDataset._get_ungrouped_metadata"
        ),
        "ai-toolkit caption": "ostris/ai-toolkit toolkit/dataloader_mixins.py, load_caption; issue 113",
        "ai-toolkit folder": "ostris/ai-toolkit toolkit/data_loader.py, image_extensions and AiToolkitDataset",
        "SimpleTuner caption": (
            "bghira/SimpleTuner simpletuner/helpers/prompts.py, prepare_instance_prompt_from_textfile"
        ),
        "SimpleTuner repeats": "bghira/SimpleTuner documentation/DATALOADER.md, repeats",
        "OneTrainer caption": "Nerogar/mgds src/mgds/pipelineModules/LoadMultipleTexts.py and SelectRandomText.py",
        "OneTrainer folder": "Nerogar/mgds src/mgds/pipelineModules/CollectPaths.py, include_subdirectories",
        "OneTrainer image": "Nerogar/OneTrainer modules/util/path_util.py, SUPPORTED_IMAGE_EXTENSIONS",
        "OneTrainer names": (
            "Nerogar/OneTrainer modules/dataLoader/mixin/DataLoaderText2ImageMixin.py, sample_prompt_path"
        ),
        "CLIP": "openai/CLIP clip/clip.py, tokenize: context_length 77, of which two are marks",
        "Pillow": "what Pillow says of the file when it decodes it",
        "digest": "the MD5 of the bytes",
        "dhash": "difference hash: github.com/benhoyt/dhash",
        "pairs": "no trainer above reads it (same files as named there)",
        "ImageFolder": "huggingface.co/docs/datasets, image_dataset, metadata",
        "refusals": "what captioning models write: fpgaminer/joycaption issue 15, bghira/SimpleTuner issue 283",
        "UTF-16": "RFC 2781, section 3.2: the mark is what tells it",
        "corrupt": "TheLastBen/fast-stable-diffusion issue 84",
        "WebP frames": "tdrussell/diffusion-pipe utils/dataset.py, _metadata_map_fn: NotImplementedError",
    }
)
"""Where each claim was read."""
