// The rows of items: requested as they come into view; a bounded number is kept.
import { get, ofDataset, type Row } from "./api.ts";

const MAX_ROWS = 4000;
const MAX_REQUESTED = 120;

/** The rows that were shown last. `onRows` is called when some arrive or change. */
export class Rows {
  private readonly known = new Map<string, Row>();
  private stale = new Set<string>();
  private request: AbortController | null = null;
  private requested = new Set<string>();
  /** Pushed by the server since the running request: its answer may be older. */
  private pushed = new Set<string>();
  private readonly onRows: (ids: Set<string>) => void;

  constructor(onRows: (ids: Set<string>) => void) {
    this.onRows = onRows;
  }

  get(id: string): Row | undefined {
    return this.known.get(id);
  }

  /** Store rows that the server pushed. */
  put(rows: readonly Row[]): void {
    for (const row of rows) this.pushed.add(row.id);
    this.take(rows);
  }

  private take(rows: readonly Row[]): void {
    for (const row of rows) {
      this.known.delete(row.id); // re-insert at the end: the oldest are dropped first
      this.known.set(row.id, row);
      this.stale.delete(row.id);
    }
    this.drop();
    this.onRows(new Set(rows.map((row) => row.id)));
  }

  /** Mark every row as possibly outdated, also those being requested. They are shown until the new ones arrive. */
  markStale(): void {
    this.stale = new Set(this.known.keys());
    this.request?.abort();
    this.requested.clear();
  }

  /** Request those of these rows that are unknown or stale; abort the request before. */
  async want(ids: readonly string[]): Promise<void> {
    const missing = ids.filter((id) => !this.known.has(id) || this.stale.has(id)).slice(0, MAX_REQUESTED);
    if (missing.every((id) => this.requested.has(id))) return;
    this.request?.abort();
    const request = (this.request = new AbortController());
    this.requested = new Set(missing);
    this.pushed.clear();
    try {
      const found = await get<{ items: Row[] }>(ofDataset(`items?ids=${missing.join(",")}`), request.signal);
      if (request !== this.request || request.signal.aborted) return; // aborted as the answer arrived
      for (const id of missing) this.stale.delete(id);
      this.requested.clear();
      this.take(found.items.filter((row) => !this.pushed.has(row.id)));
    } finally {
      if (request === this.request) this.requested.clear();
    }
  }

  private drop(): void {
    for (const id of this.known.keys()) {
      if (this.known.size <= MAX_ROWS) return;
      this.known.delete(id);
      this.stale.delete(id);
    }
  }
}
