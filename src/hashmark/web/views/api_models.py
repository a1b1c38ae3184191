"""The bodies of requests and responses, for validation and for OpenAPI. No behaviour."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hashmark.core.model import Verdict
from hashmark.core.plan import Location, Side

ItemId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class RequestBody(BaseModel):
    """A request's body. Unknown names are errors."""

    model_config = ConfigDict(extra="forbid")


class Nothing(RequestBody):
    """An empty body."""


class SelectionBody(RequestBody):
    """The selected items; the whole dataset if `items` is null."""

    items: list[ItemId] | None = None


class MoveBody(SelectionBody):
    """A push or pull: of a plan that was shown, which runs once, or planned and run at once."""

    plan: str | None = None
    take: Annotated[Side | None, Field(description="Whose content wins: `mine` to push, `theirs` to pull.")] = None
    accept: Annotated[
        list[ItemId | Verdict],
        Field(description="Of the plan's `offered` files, those to move: their ids, or a verdict for all of it."),
    ] = []


class DeleteBody(RequestBody):
    """A delete: only of a plan that was shown, with its number of deletes as confirmation."""

    plan: str
    confirm: Annotated[int, Field(strict=True)]


class PlanBody(SelectionBody):
    """What to plan."""

    action: Literal["push", "pull", "delete"]
    take: Side | None = None
    where: Annotated[Location | None, Field(description="For a delete: the side, or both.")] = None


class PreviewBody(SelectionBody):
    """Which captions to clean, and how."""

    table: Annotated[
        dict[str, Any], Field(description="Like `[datasets.NAME.clean]` of hashmark.toml, which it replaces.")
    ] = {}


class CleanBody(RequestBody):
    """A cleaning: only of a preview that was shown, which runs once."""

    preview: str


class CheckBody(RequestBody):
    """How to compare: `rehash` reads every file again."""

    rehash: bool = False


class CaptionBody(RequestBody):
    """A caption's new text, and the MD5 of the file it replaces (null: there was no file)."""

    text: str = Field(max_length=1 << 20)
    replaces: Digest | None


class Error(BaseModel):
    """What went wrong, with which file, and what to do."""

    code: str
    message: str
    hint: str = ""


class ErrorResponse(BaseModel):
    """An error response."""

    error: Error


class JobStarted(BaseModel):
    """A job was started."""

    job: str


class S3Listing(BaseModel):
    """What the bucket lists. `fileMap` maps a name to its etag, size and lastModified."""

    files: list[str]
    fileMap: dict[str, dict[str, Any]]  # noqa: N815 - a name of the interface
    count: int


class Image(BaseModel):
    """An image, with what is known about it and its caption."""

    filename: str
    md5: str | None
    size: int | None
    hasCaption: bool  # noqa: N815
    captionFile: str | None = None  # noqa: N815
    captionMd5: str | None = None  # noqa: N815
    isInS3: bool  # noqa: N815
    captionInS3: bool  # noqa: N815
    verdict: str
    captionVerdict: str | None  # noqa: N815


class Images(BaseModel):
    """Every image of a dataset."""

    images: list[Image]


class FoundIds(BaseModel):
    """The ids of the items that a search found. `unmeasured`: images whose size is still being measured."""

    revision: int
    total: int
    ids: list[str]
    unmeasured: int


class CaptionText(BaseModel):
    """A caption on disk; `md5` is null where there is no file."""

    key: str
    text: str
    encoding: str
    md5: str | None
