"""What routes depend on: the server's services, and the dataset and item that the address names."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Request

from hashmark.search.items import Item
from hashmark.web.session.live_dataset import LiveDataset
from hashmark.web.session.services import Services
from hashmark.web.views.api.responses import NotFound


def get_services(request: Request) -> Services:
    """Return the services of this server."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]


def get_dataset(services: ServicesDep, dataset: Annotated[str, Path(description="The dataset's id.")]) -> LiveDataset:
    """Return the dataset that the address names, by its id: never by a path.

    Raises:
        NotFound: there is none.
    """
    live = services.library.datasets.get(dataset)
    if live is None:
        raise NotFound(f"There is no dataset '{dataset}'.", "See /api/datasets.")
    return live


DatasetDep = Annotated[LiveDataset, Depends(get_dataset)]


def get_item(live: DatasetDep, item: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]) -> Item:
    """Return the item that the address names.

    Raises:
        NotFound: there is none.
    """
    found = live.item(item)
    if found is None:
        raise NotFound(f"There is no item {item} in {live.dataset.name}.", "It may have been deleted. Search again.")
    return found


ItemDep = Annotated[Item, Depends(get_item)]


async def ensure_compared(services: Services, live: LiveDataset) -> None:
    """Wait until the dataset was compared at least once.

    Raises:
        HashmarkError: it can't be compared.
    """
    if live.unchecked:
        await services.checker.check(live)
    if live.unchecked and live.error:
        raise live.error


def keys_of(live: LiveDataset, ids: list[str] | None) -> frozenset[str] | None:
    """Return the keys of these items; None means all.

    Raises:
        NotFound: there is no such item.
    """
    if ids is None:
        return None
    keys: set[str] = set()
    for item_id in ids:
        found = live.item(item_id)
        if found is None:
            raise NotFound("Some of the selected items no longer exist.", "Select again.")
        keys.update(found.keys)
    return frozenset(keys)
