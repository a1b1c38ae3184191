// One item in the grid or list. Names and captions are text nodes, so whatever they contain is shown as text.
import { ofDataset, type Badge, type Colour, type Row } from "./api.ts";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS: readonly string[] = ["green", "red", "grey", "cloud", "conflict", "refused"] satisfies Colour[];

/** The colour of one file's badge. One that the page does not know is grey: red, too, claims a proof. */
export function colourOf(badge: Badge | null): string {
  if (!badge) return "none";
  return COLOURS.includes(badge.colour) ? badge.colour : "grey";
}

function icon(name: string, cls: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${cls}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

function part<K extends keyof HTMLElementTagNameMap>(tag: K, cls: string): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = cls;
  return element;
}

let issueLabels: Record<string, string> | undefined;

function issueLabel(code: string): string {
  issueLabels ??= JSON.parse(document.body.dataset["issueLabels"] ?? "{}") as Record<string, string>;
  return issueLabels[code] ?? code;
}

const loaded = new Set<string>();
const MAX_LOADED = 20_000;

/** The badge of one file. It is redrawn only if it changes: most tiles have the same ones. */
class BadgeView {
  readonly element = part("span", "badge");
  private readonly sort = icon("none", "sort");
  private readonly sign = icon("none", "sign");
  private drawn = "";

  constructor() {
    this.element.append(this.sort, this.sign);
  }

  show(sort: string, badge: Badge | null, checkedAt: string): void {
    const colour = colourOf(badge);
    const drawn = `${sort} ${colour}`;
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.element.className = `badge ${colour}`;
      this.sort.firstElementChild?.setAttribute("href", `#i-${sort}`);
      this.sign.firstElementChild?.setAttribute("href", `#i-${colour}`);
    }
    const what = sort === "text" ? "Caption" : sort === "image" ? "Image" : "File";
    const title = badge ? describe(what, badge, checkedAt) : `${what}: none`;
    if (title !== this.element.title) this.element.title = title;
  }
}

/** Return a badge's tooltip: one plain sentence, then the verdict and its evidence by name, then the time. */
function describe(what: string, badge: Badge, checkedAt: string): string {
  const evidence = badge.evidence ? `, evidence ${badge.evidence}` : "";
  const grade = badge.grade ? ` (${badge.grade})` : "";
  return [`${what}: ${badge.why}`, `Verdict ${badge.verdict}${evidence}${grade}`, checkedAt].filter(Boolean).join("\n");
}

/** An element that shows one item at a time and is reused for others. */
export class Tile {
  readonly element = part("div", "tile");
  private readonly picture = part("span", "picture");
  private readonly image = part("img", "thumb");
  private readonly name = part("span", "name");
  private readonly text = part("span", "text");
  private readonly health = part("span", "health");
  private readonly spoken = part("span", "unseen");
  private readonly badges = part("span", "badges");
  private readonly lead = new BadgeView();
  private readonly caption = new BadgeView();
  /** The row that is shown; null before the first. */
  private shownRow: Row | undefined | null = null;
  private wanted = "";

  constructor() {
    this.element.setAttribute("role", "option");
    this.image.alt = "";
    this.image.decoding = "async";
    this.image.draggable = false;
    this.image.onload = () => {
      if (loaded.size > MAX_LOADED) loaded.clear();
      loaded.add(this.wanted);
      this.image.classList.add("here");
    };
    this.image.onerror = () => this.picture.classList.add("broken");
    this.badges.append(this.lead.element, this.caption.element);
    this.picture.append(icon("image", "ghost"), this.image);
    this.badges.setAttribute("aria-hidden", "true"); // `spoken` says it in fewer words
    this.element.append(this.picture, this.badges, this.name, this.text, this.spoken);
  }

  /** Show an item, or a placeholder while its row is loading. */
  show(id: string, row: Row | undefined, place: number, total: number, checkedAt: string): void {
    const element = this.element;
    element.id = `item-${id}`;
    element.dataset["id"] = id;
    element.setAttribute("aria-posinset", String(place + 1));
    element.setAttribute("aria-setsize", String(total));
    if (row === this.shownRow) return;
    const before = this.shownRow;
    const greened = row?.colour === "green" && before?.id === row.id && before.colour !== "green";
    this.shownRow = row;
    const cls = `tile ${row?.colour ?? "waiting"}${greened ? " greened" : ""}`;
    if (cls !== element.className) element.className = cls; // `mark` adds the cursor afterwards
    this.name.textContent = row?.name ?? "";
    this.name.title = row?.name ?? "";
    const health = (row?.health ?? []).map(issueLabel);
    this.health.textContent = health.join(", ");
    this.health.hidden = health.length === 0;
    this.text.replaceChildren(this.health, row?.text ?? "");
    this.lead.show(row?.kind === "pair" ? "image" : row?.kind === "caption" ? "text" : "none", row?.lead ?? null, checkedAt);
    this.caption.show("text", row?.caption ?? null, checkedAt);
    this.caption.element.hidden = row?.kind !== "pair";
    this.spoken.textContent = row ? verdicts(row) : "loading";
  }

  /** Load the picture. While the reader scrolls, only pictures that were loaded before are requested. */
  load(scrolling: boolean): void {
    const row = this.shownRow;
    const url = row?.version ? ofDataset(`items/${row.id}/picture?side=320&v=${row.version}`) : "";
    if (url === this.wanted) return;
    this.release();
    this.picture.classList.toggle("none", !url);
    if (!url || (scrolling && !loaded.has(url))) return;
    this.wanted = url;
    this.image.src = url;
  }

  /** Abort the loading of the picture. */
  release(): void {
    if (this.wanted === "") return;
    this.wanted = "";
    this.image.removeAttribute("src");
    this.image.classList.remove("here");
    this.picture.classList.remove("broken");
  }

  /** Show whether the item is selected, and whether the cursor is on it. */
  mark(selected: boolean, cursor: boolean): void {
    this.element.setAttribute("aria-selected", String(selected));
    this.element.classList.toggle("cursor", cursor);
  }
}

function verdicts(row: Row): string {
  const caption = row.kind === "pair" ? `, caption ${row.caption?.verdict ?? "none"}` : "";
  return [`${row.kind === "pair" ? "image " : ""}${row.lead.verdict}${caption}`, ...row.health].join(", ");
}
