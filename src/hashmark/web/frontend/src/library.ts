// Searches and sorts the list of datasets in the page, also after the server sends it again.
import { send } from "./api.ts";
import { anyDialogOpen, isTyping } from "./sheet.ts";
import { trying } from "./toast.ts";

type Order = (a: HTMLElement, b: HTMLElement) => number;

const number = (item: HTMLElement, name: string): number => Number(item.dataset[name] ?? 0);
const byName: Order = (a, b) => (a.dataset["name"] ?? "").localeCompare(b.dataset["name"] ?? "", undefined, { numeric: true });

const ORDERS: Record<string, Order> = {
  name: byName,
  state: (a, b) => number(b, "state") - number(a, "state") || byName(a, b),
  size: (a, b) => number(b, "size") - number(a, "size") || byName(a, b),
  checked: (a, b) => number(a, "checked") - number(b, "checked") || byName(a, b),
};

function arrange(search: HTMLInputElement, sort: HTMLSelectElement): void {
  const list = document.querySelector("ul.datasets");
  if (!list) return;
  const items = [...list.querySelectorAll<HTMLElement>(":scope > li")];
  const wanted = search.value.trim().toLocaleLowerCase();
  for (const item of items) item.hidden = !(item.dataset["name"] ?? "").toLocaleLowerCase().includes(wanted);
  const sorted = [...items].sort(ORDERS[sort.value] ?? byName);
  if (sorted.some((item, at) => item !== items[at])) {
    const focused = document.activeElement as HTMLElement | null;
    list.append(...sorted);
    if (focused && list.contains(focused)) focused.focus();
  }
}

export function startLibrary(): void {
  const search = document.getElementById("dataset-search") as HTMLInputElement;
  const sort = document.getElementById("dataset-sort") as HTMLSelectElement;
  const again = (): void => arrange(search, sort);
  search.addEventListener("input", again);
  sort.addEventListener("change", again);
  document.addEventListener("htmx:after:swap", again);
  again();
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-act=check-all]");
    if (button) void trying(() => send("POST", "/api/check"));
  });
  document.addEventListener("keydown", (event) => {
    const first = document.querySelector<HTMLElement>("ul.datasets > li:not([hidden]) > a");
    if (event.target === search && event.key === "ArrowDown") first?.focus();
    if (event.target === search && event.key === "Enter") first?.click();
    if (isTyping(event) || anyDialogOpen() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    }
    if (event.key === "r") void trying(() => send("POST", "/api/check"));
    const cards = [...document.querySelectorAll<HTMLElement>("ul.datasets > li:not([hidden]) > a")];
    const at = cards.indexOf(document.activeElement as HTMLElement);
    if (event.key === "ArrowDown") cards[Math.min(at + 1, cards.length - 1)]?.focus();
    if (event.key === "ArrowUp") cards[Math.max(at - 1, 0)]?.focus();
  });
}
