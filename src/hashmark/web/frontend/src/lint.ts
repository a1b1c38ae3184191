// The trainer check, beside the grid: one card for each finding; a click on it searches for its files.
import { get, ofDataset, send } from "./api.ts";
import { Panel } from "./panel.ts";
import { formatTime } from "./times.ts";
import { trying } from "./toast.ts";

const POLL_INTERVAL_MS = 600;
const WORST = ["error", "warning", "note"];
const SIGNS: Record<string, [string, string]> = {
  error: ["red", "red"],
  warning: ["conflict", "conflict"],
  note: ["none", "grey"],
};

interface Finding {
  code: string;
  severity: string;
  trainer: string | null;
  count: number;
  keys: string[];
  what: string;
  why: string;
  do: string;
  source: string;
}

interface Lint {
  at: number | null;
  looking: { images: number; of: number } | null;
  error: { message: string } | null;
  findings: Finding[];
  notes: Finding[];
  problems: { message: string }[];
  trainers: string[];
}

export class LintPanel extends Panel {
  private readonly drawn: () => void;
  private found: Lint | null = null;
  private timer = 0;

  /** `drawn` is called after the findings changed. */
  constructor(drawn: () => void) {
    super("lint");
    this.drawn = drawn;
    this.panel.addEventListener("change", () => this.draw());
    this.panel.addEventListener("click", (event) => {
      if ((event.target as Element).closest("[data-act=lint-again]")) void this.start();
    });
  }

  protected opened(): void {
    this.part("trainer").focus();
    void this.load();
  }

  /** Show the last result; without one, start a check. */
  private async load(): Promise<void> {
    clearTimeout(this.timer);
    const found = await trying(() => get<Lint>(ofDataset("lint")));
    if (!found || !this.open) return;
    if (found.at === null && !found.looking && !found.error) await this.start();
    else this.take(found);
  }

  private async start(): Promise<void> {
    const found = await trying(() => send<Lint>("POST", ofDataset("lint")));
    if (found) this.take(found);
  }

  private take(found: Lint): void {
    this.found = found;
    if (found.looking) this.timer = window.setTimeout(() => void this.load(), POLL_INTERVAL_MS);
    const select = this.part("trainer") as unknown as HTMLSelectElement;
    if (select.options.length === 1) for (const trainer of found.trainers) select.append(new Option(trainer, trainer));
    this.draw();
  }

  private draw(): void {
    const found = this.found;
    if (!found) return;
    const trainer = this.part("trainer").value;
    const all = [...found.findings, ...found.notes].filter((one) => !trainer || !one.trainer || one.trainer === trainer);
    const groups = new Map<string, Finding[]>();
    for (const one of all) groups.set(one.code, [...(groups.get(one.code) ?? []), one]);
    const worst = (group: Finding[]): number => Math.min(...group.map((one) => WORST.indexOf(one.severity)));
    const cards = [...groups.values()].sort((a, b) => worst(a) - worst(b));
    this.find(".findings").replaceChildren(...cards.map((group) => card(group, WORST[worst(group)] ?? "note", trainer)));
    this.find(".busy-said").hidden = !found.looking;
    this.find(".busy-said").textContent = found.looking?.of
      ? `Checking images: ${found.looking.images.toLocaleString()} of ${found.looking.of.toLocaleString()}`
      : "Checking …";
    this.find("#lint-said").textContent = said(found, cards.length);
    this.drawn();
  }
}

function said(found: Lint, cards: number): string {
  if (found.error) return found.error.message;
  if (found.at === null) return "";
  const failed = found.problems.length;
  const missed = failed ? ` ${failed.toLocaleString()} ${failed === 1 ? "file" : "files"} could not be checked.` : "";
  const when = formatTime(new Date(found.at * 1000), new Date());
  const count = cards === 0 ? "No findings" : `${cards} ${cards === 1 ? "kind of finding" : "kinds of findings"}`;
  return `${count}. Checked ${when}.${missed}`;
}

function element(tag: string, cls: string, ...content: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.className = cls;
  made.append(...content);
  return made;
}

function sign(severity: string): SVGSVGElement {
  const [name, colour] = SIGNS[severity] ?? ["none", "grey"];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", `icon sign ${colour}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", severity);
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Group the findings on which trainers agree. */
function alike(group: Finding[]): Finding[][] {
  const found = new Map<string, Finding[]>();
  for (const one of group) {
    const what = JSON.stringify([one.what, one.why, one.do]);
    found.set(what, [...(found.get(what) ?? []), one]);
  }
  return [...found.values()];
}

/** One kind of finding: how many files, and what each trainer does with them. */
function card(group: Finding[], severity: string, trainer: string): HTMLLIElement {
  const first = group[0] as Finding;
  const count = Math.max(...group.map((one) => one.count));
  const button = document.createElement("button");
  button.className = "tag";
  button.dataset["filter"] = `lint:${trainer && first.trainer ? `${trainer}/` : ""}${first.code}`;
  button.append(sign(severity), element("b", "tag-name", first.code), element("span", "", count.toLocaleString()));
  const more = document.createElement("details");
  const names = `${first.keys[0] ?? ""}${count > 1 ? ` and ${(count - 1).toLocaleString()} more` : ""}`;
  more.append(element("summary", "quiet", names));
  for (const same of alike(group)) {
    const one = same[0] as Finding;
    const who = one.trainer ? [element("b", "", same.map((of) => of.trainer).join(", ")), ": "] : [];
    more.append(element("p", "", ...who, one.what, ". ", element("span", "quiet", one.why)));
    more.append(element("p", "advice", "→ ", one.do));
    for (const source of new Set(same.map((of) => of.source))) more.append(element("p", "quiet source", source));
  }
  const item = document.createElement("li");
  item.append(button, more);
  return item;
}
