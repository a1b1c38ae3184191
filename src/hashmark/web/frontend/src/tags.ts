// Tag statistics, beside the grid: counted by the server, shown page by page; a click on a tag searches for it.
import { get, ofDataset } from "./api.ts";
import { Pager } from "./pager.ts";
import { Panel } from "./panel.ts";
import { trying } from "./toast.ts";

const PAGE_ROWS = 100;
const DEBOUNCE_MS = 200;
const RELOAD_DELAY_MS = 1000;

interface Tag {
  tag: string;
  count: number;
  together: number | null;
  search: string;
}

interface Tags {
  captions: number;
  distinct: number;
  singletons: number;
  trigger: string;
  withTrigger: number | null;
  total: number;
  tags: Tag[];
}

export class TagPanel extends Panel {
  private readonly list = this.find(".tag-list");
  private readonly pager = new Pager(this.find(".pager"), PAGE_ROWS, (start) => void this.show(start));
  private readonly drawn: () => void;
  private request: AbortController | null = null;
  private timer = 0;
  /** The trigger; null until the server has sent the dataset's own. */
  private trigger: string | null = null;

  /** `drawn` is called after the tags changed. */
  constructor(drawn: () => void) {
    super("tags");
    this.drawn = drawn;
    this.panel.addEventListener("input", (event) => {
      if (event.target === this.part("trigger")) this.trigger = this.part("trigger").value;
      this.showSoon(DEBOUNCE_MS);
    });
    this.find(".tag-tools").addEventListener("submit", (event) => event.preventDefault());
  }

  protected opened(): void {
    this.part("q").focus();
    void this.show(0);
  }

  /** Reload soon: captions may have changed. */
  changed(): void {
    if (this.open) this.showSoon(RELOAD_DELAY_MS);
  }

  private showSoon(delay: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.show(0), delay);
  }

  private async show(start: number): Promise<void> {
    this.request?.abort();
    const request = (this.request = new AbortController());
    const address = new URLSearchParams({ start: String(start), count: String(PAGE_ROWS) });
    for (const name of ["q", "only", "sort"]) address.set(name, this.part(name).value);
    if (this.trigger !== null) address.set("trigger", this.trigger);
    const found = await trying(() => get<Tags>(ofDataset(`tags?${address}`), request.signal));
    if (!found || request !== this.request) return;
    if (this.trigger === null) this.part("trigger").value = this.trigger = found.trigger;
    this.find("#tags-said").textContent = summary(found);
    this.list.replaceChildren(...found.tags.map((tag) => row(tag, found)));
    this.list.scrollTop = 0;
    this.pager.show(start, found.total);
    this.drawn();
  }
}

function summary(found: Tags): string {
  const n = (count: number): string => count.toLocaleString();
  const trigger = found.withTrigger === null ? "" : ` The trigger is in ${n(found.withTrigger)}.`;
  return `${n(found.distinct)} tags in ${n(found.captions)} captions, ${n(found.singletons)} used only once.${trigger}`;
}

function row(tag: Tag, found: Tags): HTMLLIElement {
  const button = document.createElement("button");
  button.className = "tag";
  button.dataset["filter"] = tag.search;
  const name = document.createElement("span");
  name.className = "tag-name";
  name.textContent = tag.tag;
  const count = document.createElement("span");
  count.textContent = tag.count.toLocaleString();
  button.append(name);
  if (tag.together !== null) {
    const together = document.createElement("span");
    together.className = "quiet";
    together.textContent = `${tag.together.toLocaleString()} with`;
    together.title = `${tag.together.toLocaleString()} of ${tag.count.toLocaleString()} captions also have ${found.trigger}`;
    button.append(together);
  }
  button.append(count);
  const item = document.createElement("li");
  item.append(button);
  return item;
}
