// What is known of the items: asked for as they come into view, a bounded number kept.
import { get, ofDataset, type Row } from "./api.ts";

const KEPT = 4000;
const AT_ONCE = 120;

/** The rows that were seen last. `onRows` is told when some arrive or change. */
export class Rows {
  private readonly known = new Map<string, Row>();
  private stale = new Set<string>();
  private asking: AbortController | null = null;
  private asked = new Set<string>();
  /** Told of by the server since these were asked for: the answer may be of before. */
  private told = new Set<string>();
  private readonly onRows: (ids: Set<string>) => void;

  constructor(onRows: (ids: Set<string>) => void) {
    this.onRows = onRows;
  }

  get(id: string): Row | undefined {
    return this.known.get(id);
  }

  /** Take in rows that the server sent by itself. */
  put(rows: readonly Row[]): void {
    for (const row of rows) this.told.add(row.id);
    this.take(rows);
  }

  private take(rows: readonly Row[]): void {
    for (const row of rows) {
      this.known.delete(row.id); // put last: the oldest are dropped first
      this.known.set(row.id, row);
      this.stale.delete(row.id);
    }
    this.drop();
    this.onRows(new Set(rows.map((row) => row.id)));
  }

  /** Everything may have changed, what is being asked for included: what is known is shown until it was asked again. */
  age(): void {
    this.stale = new Set(this.known.keys());
    this.asking?.abort();
    this.asked.clear();
  }

  /** Ask for those of these that are not known; what was asked for before and is not wanted any more is given up. */
  async want(ids: readonly string[]): Promise<void> {
    const missing = ids.filter((id) => !this.known.has(id) || this.stale.has(id)).slice(0, AT_ONCE);
    if (missing.every((id) => this.asked.has(id))) return;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.asked = new Set(missing);
    this.told.clear();
    try {
      const found = await get<{ items: Row[] }>(ofDataset(`items?ids=${missing.join(",")}`), asking.signal);
      if (asking !== this.asking || asking.signal.aborted) return; // given up as it arrived
      for (const id of missing) this.stale.delete(id);
      this.asked.clear();
      this.take(found.items.filter((row) => !this.told.has(row.id)));
    } finally {
      if (asking === this.asking) this.asked.clear();
    }
  }

  private drop(): void {
    for (const id of this.known.keys()) {
      if (this.known.size <= KEPT) return;
      this.known.delete(id);
      this.stale.delete(id);
    }
  }
}
