// Statistics of the tags, beside the grid: counted by the server, shown page by page; a click on a tag searches for it.
import { get, ofDataset } from "./api.ts";
import { Pager } from "./pager.ts";
import { Panel } from "./panel.ts";
import { trying } from "./toast.ts";

const PAGE = 100;
const PAUSE = 200;
const LATER = 1000;

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
  private readonly pager = new Pager(this.find(".pager"), PAGE, (start) => void this.show(start));
  private readonly drawn: () => void;
  private asking: AbortController | null = null;
  private timer = 0;
  /** What is counted beside; null until the server has said what the dataset's own is. */
  private trigger: string | null = null;

  /** `drawn` is told when there are other tags to press. */
  constructor(drawn: () => void) {
    super("tags");
    this.drawn = drawn;
    this.panel.addEventListener("input", (event) => {
      if (event.target === this.part("trigger")) this.trigger = this.part("trigger").value;
      this.soon(PAUSE);
    });
    this.find(".tag-tools").addEventListener("submit", (event) => event.preventDefault());
  }

  protected opened(): void {
    this.part("q").focus();
    void this.show(0);
  }

  /** Captions may have changed. */
  changed(): void {
    if (this.open) this.soon(LATER);
  }

  private soon(pause: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.show(0), pause);
  }

  private async show(start: number): Promise<void> {
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const address = new URLSearchParams({ start: String(start), count: String(PAGE) });
    for (const name of ["q", "only", "sort"]) address.set(name, this.part(name).value);
    if (this.trigger !== null) address.set("trigger", this.trigger);
    const found = await trying(() => get<Tags>(ofDataset(`tags?${address}`), asking.signal));
    if (!found || asking !== this.asking) return;
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
  return `${n(found.distinct)} tags in ${n(found.captions)} captions, ${n(found.singletons)} of them in one only.${trigger}`;
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
    together.title = `${tag.together.toLocaleString()} of ${tag.count.toLocaleString()} beside ${found.trigger}`;
    button.append(together);
  }
  button.append(count);
  const item = document.createElement("li");
  item.append(button);
  return item;
}
