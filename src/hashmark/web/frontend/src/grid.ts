// The items as a virtual grid or list: only what is in view exists. Every cell has the same size, so a position is one
// multiplication. What a cell shows is decided in `tile`.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import type { Rows } from "./rows.ts";
import type { Selection } from "./selection.ts";
import { Tile } from "./tile.ts";

export type View = "grid" | "list";

/** Browsers lay out no element higher than about 16 million device pixels; rows beyond that could not be reached. */
const MAX_HEIGHT_PX = 15_000_000;
const LIST_ROW_PX = 56;
const GAP_PX = 10;
const REQUEST_INTERVAL_MS = 40;

interface Layout {
  columns: number;
  height: number;
}

/** Return the number of columns and the height of a row with its gap, for a width in CSS pixels. */
export function layoutFor(view: View, width: number, count: number, ratio: number): Layout {
  const list = { columns: 1, height: LIST_ROW_PX };
  if (view === "list") return list;
  const narrow = width < 520;
  const columns = Math.max(1, Math.floor((width + GAP_PX) / ((narrow ? 108 : 176) + GAP_PX)));
  const cell = (width - GAP_PX * (columns - 1)) / columns;
  const height = Math.round(cell + (narrow ? 40 : 62) + GAP_PX);
  return Math.ceil(count / columns) * height > MAX_HEIGHT_PX / ratio ? list : { columns, height };
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

  /** Hide the line until it is needed again. */
  hide(): void {
    if (this.element.hidden) return;
    this.element.hidden = true;
    for (const tile of this.tiles) tile.release();
  }
}

/** Draws the items into `box`, which scrolls within `scroller`. */
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
  private layout: Layout = { columns: 1, height: LIST_ROW_PX };
  private requestTimer = 0;

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

  /** The number of lines in view. */
  get page(): number {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.layout.height));
  }

  /** Lay out again after the items, the view or the width changed. */
  measure(): void {
    const count = this.selection.ids.length;
    this.layout = layoutFor(this.view, this.box.clientWidth, count, window.devicePixelRatio || 1);
    this.box.classList.toggle("as-list", this.layout.columns === 1 && this.layout.height === LIST_ROW_PX);
    this.box.style.setProperty("--columns", String(this.layout.columns));
    this.virtual.setOptions(this.options());
    this.virtual.measure();
    this.virtual._willUpdate();
    this.draw();
  }

  /** Scroll the cursor's item into view. */
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
    for (const line of this.spare) line.hide();
    this.requestSoon();
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

  /** Request the rows in view at intervals, so that scrolling past ten thousand lines requests only a few. */
  private requestSoon(): void {
    if (this.requestTimer) return;
    this.requestTimer = window.setTimeout(() => {
      this.requestTimer = 0;
      const places = [...this.lines.keys()].sort((a, b) => a - b);
      const ids = places.flatMap((line) =>
        this.selection.ids.slice(line * this.layout.columns, (line + 1) * this.layout.columns),
      );
      void this.rows.want(ids).catch(() => undefined); // aborted, or requested again at the next draw
    }, REQUEST_INTERVAL_MS);
  }

  private options() {
    return {
      count: Math.ceil(this.selection.ids.length / this.layout.columns),
      getScrollElement: () => this.scroller,
      estimateSize: () => this.layout.height,
      overscan: 3,
      paddingStart: GAP_PX,
      paddingEnd: GAP_PX,
      scrollToFn: elementScroll,
      observeElementRect,
      observeElementOffset,
      onChange: () => this.draw(),
      isScrollingResetDelay: 120,
    };
  }
}
