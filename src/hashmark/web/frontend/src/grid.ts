// The items as a virtual grid or list: only what is in view exists, every cell has the same size, so that a place is
// one multiplication away. What is shown in a cell is `tile`'s affair.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { Rows } from "./rows.ts";
import type { Selection } from "./selection.ts";
import { Tile } from "./tile.ts";

export type View = "grid" | "list";

/** Browsers lay out no element higher than some 16 million device pixels; beyond that, rows would be out of reach. */
const HIGHEST = 15_000_000;
const LIST_ROW = 56;
const GAP = 10;

interface Layout {
  columns: number;
  height: number;
}

/** Columns, and the height of a row with its gap, for a width in CSS pixels. */
export function layoutFor(view: View, width: number, count: number, ratio: number): Layout {
  const list = { columns: 1, height: LIST_ROW };
  if (view === "list") return list;
  const narrow = width < 520;
  const columns = Math.max(1, Math.floor((width + GAP) / ((narrow ? 108 : 176) + GAP)));
  const cell = (width - GAP * (columns - 1)) / columns;
  const height = Math.round(cell + (narrow ? 40 : 62) + GAP);
  return Math.ceil(count / columns) * height > HIGHEST / ratio ? list : { columns, height };
}

class Line {
  readonly element = document.createElement("div");
  readonly tiles: Tile[] = [];
  index = -1;

  constructor() {
    this.element.className = "line";
    this.element.setAttribute("role", "presentation");
  }

  fit(columns: number): void {
    while (this.tiles.length < columns) {
      const tile = new Tile();
      this.tiles.push(tile);
      this.element.append(tile.element);
    }
    for (const tile of this.tiles.splice(columns)) {
      tile.release();
      tile.element.remove();
    }
  }

  /** Show nothing until it is needed again. */
  rest(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    for (const tile of this.tiles) tile.release();
  }
}

/** Draws the selection's items into `box`, which scrolls within `scroller`. */
export class Grid {
  view: View = "grid";
  checkedAt = "";
  private readonly box: HTMLElement;
  private readonly scroller: HTMLElement;
  private readonly selection: Selection;
  private readonly rows: Rows;
  private readonly virtual: Virtualizer<HTMLElement, HTMLElement>;
  private readonly lines = new Map<number, Line>();
  private readonly spare: Line[] = [];
  private layout: Layout = { columns: 1, height: LIST_ROW };
  private asked = 0;

  constructor(box: HTMLElement, scroller: HTMLElement, selection: Selection, rows: Rows) {
    this.box = box;
    this.scroller = scroller;
    this.selection = selection;
    this.rows = rows;
    this.virtual = new Virtualizer<HTMLElement, HTMLElement>(this.options());
    this.virtual._didMount();
    new ResizeObserver(() => this.measure()).observe(box);
    this.measure();
  }

  get columns(): number {
    return this.layout.columns;
  }

  /** How many lines are in view. */
  get page(): number {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.layout.height));
  }

  /** The items, the view or the width changed. */
  measure(): void {
    const count = this.selection.ids.length;
    this.layout = layoutFor(this.view, this.box.clientWidth, count, window.devicePixelRatio || 1);
    this.box.classList.toggle("as-list", this.layout.columns === 1 && this.layout.height === LIST_ROW);
    this.box.style.setProperty("--columns", String(this.layout.columns));
    this.virtual.setOptions(this.options());
    this.virtual.measure();
    this.virtual._willUpdate();
    this.draw();
  }

  /** Bring the cursor's item into view. */
  follow(): void {
    if (this.selection.cursor < 0) return;
    this.virtual.scrollToIndex(Math.floor(this.selection.cursor / this.layout.columns), { align: "auto" });
    this.draw();
  }

  /** Draw what is in view. */
  draw(): void {
    const items = this.virtual.getVirtualItems();
    const wanted = new Set(items.map((item) => item.index));
    for (const [index, line] of this.lines) {
      if (wanted.has(index)) continue;
      this.lines.delete(index);
      this.spare.push(line);
    }
    this.box.style.height = `${this.virtual.getTotalSize()}px`;
    for (const item of items) this.drawLine(item.index, item.start);
    for (const line of this.spare) line.rest();
    this.askSoon();
    const under = this.selection.ids[this.selection.cursor];
    if (under !== undefined && this.lines.has(Math.floor(this.selection.cursor / this.layout.columns)))
      this.box.setAttribute("aria-activedescendant", `item-${under}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  private drawLine(index: number, start: number): void {
    const line = this.lines.get(index) ?? this.spare.pop() ?? this.newLine();
    this.lines.set(index, line);
    line.index = index;
    line.fit(this.layout.columns);
    line.element.hidden = false;
    line.element.style.transform = `translateY(${start}px)`;
    const { ids, cursor } = this.selection;
    line.tiles.forEach((tile, column) => {
      const place = index * this.layout.columns + column;
      const id = ids[place];
      tile.element.hidden = id === undefined;
      if (id === undefined) {
        tile.release();
        return;
      }
      tile.show(id, this.rows.get(id), place, ids.length, this.checkedAt);
      tile.mark(this.selection.has(id), place === cursor);
      tile.load(this.virtual.isScrolling);
    });
  }

  private newLine(): Line {
    const line = new Line();
    this.box.append(line.element);
    return line;
  }

  /** Ask for the rows in view, once in a while: a flight over ten thousand lines asks for few. */
  private askSoon(): void {
    if (this.asked) return;
    this.asked = window.setTimeout(() => {
      this.asked = 0;
      const places = [...this.lines.keys()].sort((a, b) => a - b);
      const ids = places.flatMap((line) =>
        this.selection.ids.slice(line * this.layout.columns, (line + 1) * this.layout.columns),
      );
      void this.rows.want(ids).catch(() => undefined); // given up, or asked again at the next draw
    }, 40);
  }

  private options() {
    return {
      count: Math.ceil(this.selection.ids.length / this.layout.columns),
      getScrollElement: () => this.scroller,
      estimateSize: () => this.layout.height,
      overscan: 3,
      paddingStart: GAP,
      paddingEnd: GAP,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.draw(),
      isScrollingResetDelay: 120,
    };
  }
}
