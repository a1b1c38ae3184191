// Which items are selected, and where the cursor is. Knows ids in an order, and nothing of the page.

/** A selection within the items of a filter, in order. It never holds an item that the filter does not show. */
export class Selection {
  ids: readonly string[] = [];
  readonly chosen = new Set<string>();
  /** The position of the cursor, -1 where there are no items. */
  cursor = -1;
  private anchor = -1;
  private places = new Map<string, number>();

  /** Replace the items. Those in both lists stay selected, and the cursor stays on its item. */
  show(ids: readonly string[]): void {
    const under = this.ids[this.cursor];
    this.ids = ids;
    this.places = new Map();
    for (let at = 0; at < ids.length; at++) this.places.set(ids[at] as string, at); // no array of pairs for a hundred thousand items
    for (const id of this.chosen) if (!this.places.has(id)) this.chosen.delete(id);
    const place = under === undefined ? undefined : this.places.get(under);
    this.cursor = place ?? Math.min(Math.max(this.cursor, 0), ids.length - 1);
    this.anchor = this.cursor;
  }

  /** Return the position of an item; -1 where the filter does not show it. */
  place(id: string): number {
    return this.places.get(id) ?? -1;
  }

  has(id: string): boolean {
    return this.chosen.has(id);
  }

  /** Move the cursor; with `extend`, everything between the anchor and the cursor is selected as well. */
  move(to: number, extend: boolean): void {
    if (this.ids.length === 0) return;
    const from = this.cursor;
    this.cursor = Math.min(Math.max(to, 0), this.ids.length - 1);
    if (!extend) {
      this.anchor = this.cursor;
      return;
    }
    this.mark(this.anchor, from, false);
    this.mark(this.anchor, this.cursor, true);
  }

  /** Toggle the selection of the item at the cursor. */
  toggle(): void {
    const id = this.ids[this.cursor];
    if (id === undefined) return;
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.anchor = this.cursor;
  }

  /** Select only this item. */
  only(at: number): void {
    this.chosen.clear();
    this.cursor = at;
    this.anchor = at;
    const id = this.ids[at];
    if (id !== undefined) this.chosen.add(id);
  }

  all(): void {
    for (const id of this.ids) this.chosen.add(id);
  }

  none(): void {
    this.chosen.clear();
  }

  invert(): void {
    for (const id of this.ids) if (!this.chosen.delete(id)) this.chosen.add(id);
  }

  private mark(from: number, to: number, on: boolean): void {
    for (let at = Math.min(from, to); at <= Math.max(from, to); at++) {
      const id = this.ids[at];
      if (id === undefined) continue;
      if (on) this.chosen.add(id);
      else this.chosen.delete(id);
    }
  }
}
