// The dataset page: joins search, grid, selection, keys, plans and the detail view.
import { get, ofDataset, RequestFailed, send, type Found, type Row } from "./api.ts";
import { Clean, type Scope } from "./clean.ts";
import type { Mode } from "./cleanform.ts";
import { Detail } from "./detail.ts";
import { Grid, type View } from "./grid.ts";
import { LintPanel } from "./lint.ts";
import { onEvent } from "./live.ts";
import { Plans } from "./plans.ts";
import { Rows } from "./rows.ts";
import { Selection } from "./selection.ts";
import { anyDialogOpen, isTyping } from "./sheet.ts";
import { TagPanel } from "./tags.ts";
import { formatTime, showTimes } from "./times.ts";
import { say, toast, trying } from "./toast.ts";

const byId = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

class DatasetPage {
  private readonly selection = new Selection();
  private readonly rows = new Rows(() => this.grid.draw());
  private readonly box = byId("items");
  private readonly grid: Grid;
  private readonly field = byId<HTMLInputElement>("q");
  private readonly sort = byId<HTMLSelectElement>("sort");
  private readonly plans: Plans;
  private readonly clean = new Clean();
  private readonly lint = new LintPanel(() => this.pressChips());
  private readonly tags = new TagPanel(() => this.pressChips());
  private readonly detail: Detail;
  private request: AbortController | null = null;
  private typing = 0;
  private typed = false;

  constructor() {
    this.grid = new Grid(this.box, byId("scroller"), this.selection, this.rows);
    this.plans = new Plans();
    this.detail = new Detail({
      neighbour: (step) => this.neighbour(step),
      plan: (action, id, take) => void this.plans.open(action, [id], take),
    });
  }

  start(): void {
    this.readAddress();
    this.listen();
    void this.search();
  }

  // ---- search

  private readAddress(): void {
    const address = new URLSearchParams(location.search);
    this.field.value = address.get("q") ?? "";
    this.sort.value = address.get("sort") ?? "name";
    if (!this.sort.value) this.sort.value = "name";
    this.setView((address.get("view") ?? localStorage.getItem("hashmark-view")) === "list" ? "list" : "grid");
  }

  /** Put the search in the address: as a new step that Back undoes, or replacing the last one. */
  private writeAddress(step: boolean): void {
    const address = new URLSearchParams();
    if (this.field.value.trim()) address.set("q", this.field.value.trim());
    if (this.sort.value !== "name") address.set("sort", this.sort.value);
    if (this.grid.view === "list") address.set("view", "list");
    const query = address.toString();
    const url = query ? `?${query}` : location.pathname;
    if (step && query !== location.search.slice(1)) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  }

  /** After Back or Forward, run the search of that step; the view stays. */
  private stepped(): void {
    const address = new URLSearchParams(location.search);
    this.field.value = address.get("q") ?? "";
    this.sort.value = address.get("sort") ?? "name";
    this.typed = false;
    this.writeAddress(false);
    byId("scroller").scrollTop = 0;
    void this.search();
  }

  private async search(): Promise<void> {
    this.request?.abort();
    const request = (this.request = new AbortController());
    const address = new URLSearchParams({ q: this.field.value.trim(), sort: this.sort.value });
    try {
      const found = await get<Found>(ofDataset(`search?${address}`), request.signal);
      this.complain("");
      this.take(found);
    } catch (error) {
      if (error instanceof RequestFailed && error.code === "filter") this.complain(error.message);
      else await trying(() => Promise.reject(error as Error));
    }
  }

  private take(found: Found): void {
    this.selection.show(found.ids);
    this.grid.measure();
    byId("filter-count").textContent = found.ids.length.toLocaleString();
    const nothing = byId("nothing");
    nothing.hidden = found.ids.length > 0;
    nothing.textContent =
      found.total === 0
        ? "This dataset is empty. Put images and captions in its folder, or download them from the bucket."
        : found.unmeasured > 0
          ? `Measuring ${found.unmeasured.toLocaleString()} images …`
          : "Nothing matches this search.";
    this.pressChips();
    this.selected();
  }

  private complain(message: string): void {
    const place = byId("q-error");
    place.hidden = !message;
    place.textContent = message;
    this.field.setAttribute("aria-invalid", String(Boolean(message)));
  }

  /** Run a search; `step` lets Back undo it. */
  private filter(text: string, step: boolean): void {
    this.field.value = text;
    this.writeAddress(step);
    byId("scroller").scrollTop = 0;
    void this.search();
  }

  private pressChips(): void {
    const now = this.field.value.trim();
    for (const chip of document.querySelectorAll<HTMLElement>("[data-filter]"))
      chip.setAttribute("aria-pressed", String(chip.dataset["filter"] === now));
  }

  private setView(view: View): void {
    this.grid.view = view;
    localStorage.setItem("hashmark-view", view);
    for (const name of ["grid", "list"])
      document.querySelector(`[data-act=${name}]`)?.setAttribute("aria-pressed", String(name === view));
    this.grid.measure();
    this.grid.follow();
  }

  // ---- events

  private listen(): void {
    this.field.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = window.setTimeout(() => {
        this.filter(this.field.value, !this.typed);
        this.typed = true; // typing until the field loses the focus is one step
      }, 120);
    });
    this.field.addEventListener("blur", () => (this.typed = false));
    window.addEventListener("popstate", () => this.stepped());
    byId("search").addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(this.typing);
      this.filter(this.field.value, !this.typed);
      this.box.focus();
    });
    this.sort.addEventListener("change", () => this.filter(this.field.value, true));
    document.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("dblclick", (event) => this.openTile(event));
    document.addEventListener("keydown", (event) => this.key(event));
    for (const dialog of document.querySelectorAll("dialog")) {
      // If the element that had the focus is gone, keys go to the grid again.
      dialog.addEventListener("close", () => {
        if (document.activeElement === document.body) this.box.focus({ preventScroll: true });
      });
    }
    onEvent<{ items: Row[] }>("rows", ({ items }) => {
      this.rows.put(items);
      this.detail.changed(items);
      this.tags.changed();
    });
    onEvent("structure", () => {
      this.rows.markStale();
      void this.search();
      this.detail.refresh();
      this.tags.changed();
    });
    document.addEventListener("htmx:after:swap", () => {
      this.pressChips();
      this.times();
    });
    this.times();
  }

  private times(): void {
    showTimes(document);
    const time = document.querySelector<HTMLTimeElement>("#summary time");
    this.grid.checkedAt = time ? `Compared ${formatTime(new Date(time.dateTime), new Date())}` : "";
  }

  private clicked(event: MouseEvent): void {
    const target = event.target as Element;
    const chip = target.closest<HTMLElement>("[data-filter]");
    if (chip) {
      // A second press removes the filter.
      this.filter(chip.getAttribute("aria-pressed") === "true" ? "" : (chip.dataset["filter"] ?? ""), true);
      if (chip.matches(".tag") && window.innerWidth <= 720) this.act(chip.closest(".panel")?.id ?? ""); // the panel would hide the results
    }
    const act = target.closest<HTMLElement>("[data-act]")?.dataset["act"];
    if (act && !target.closest("dialog")) this.act(act);
    const tile = target.closest<HTMLElement>("#items .tile");
    if (tile) this.clickTile(tile, event);
  }

  private clickTile(tile: HTMLElement, event: MouseEvent): void {
    const at = this.selection.place(tile.dataset["id"] ?? "");
    if (at < 0) return;
    this.box.focus({ preventScroll: true });
    if (event.shiftKey) this.selection.move(at, true);
    else {
      this.selection.move(at, false);
      this.selection.toggle();
    }
    this.selected();
  }

  private openTile(event: MouseEvent): void {
    const tile = (event.target as Element).closest<HTMLElement>(".tile");
    if (tile?.dataset["id"]) this.open(tile.dataset["id"], false);
  }

  private openCursor(edit: boolean): void {
    const id = this.selection.ids[this.selection.cursor];
    if (id !== undefined) this.open(id, edit);
  }

  private open(id: string, edit: boolean): void {
    void this.detail.open(id, edit);
  }

  /** Update everything that depends on the selection. */
  private selected(): void {
    const count = this.selection.chosen.size;
    byId("selected-count").textContent = count.toLocaleString();
    for (const name of ["push", "pull", "verify", "delete"]) {
      const button = document.querySelector<HTMLButtonElement>(`.actions [data-act=${name}]`);
      if (button) button.disabled = count === 0;
    }
    this.grid.draw();
    say(`${count} of ${this.selection.ids.length} selected`);
  }

  private act(name: string): void {
    const acts: Record<string, () => void> = {
      check: () => void trying(() => send("POST", ofDataset("check"))),
      grid: () => this.view("grid"),
      list: () => this.view("list"),
      "select-all": () => this.change(() => this.selection.all()),
      invert: () => this.change(() => this.selection.invert()),
      open: () => this.openCursor(false),
      push: () => this.move("push"),
      pull: () => this.move("pull"),
      delete: () => this.move("delete"),
      verify: () => this.verify(),
      clean: () => this.cleanUp("rules"),
      tags: () => this.tags.toggle(),
      lint: () => this.lint.toggle(),
    };
    acts[name]?.();
  }

  private view(view: View): void {
    this.setView(view);
    this.writeAddress(false);
  }

  private change(how: () => void): void {
    how();
    this.selected();
  }

  private chosen(): string[] | null {
    const ids = [...this.selection.chosen];
    if (ids.length > 0) return ids;
    toast("Nothing is selected. Press Ctrl+A to select all.");
    return null;
  }

  private move(action: "push" | "pull" | "delete"): void {
    const ids = this.chosen();
    if (ids) void this.plans.open(action, ids, null);
  }

  private verify(): void {
    const items = this.chosen();
    if (items) void trying(() => send("POST", ofDataset("verify"), { items }));
  }

  /** Clean the selection; without one, everything that the filter shows. */
  private cleanUp(mode: Mode): void {
    void this.clean.open(this.scope(), mode);
  }

  private scope(): Scope {
    const chosen = [...this.selection.chosen];
    if (chosen.length) return { items: chosen, words: `of the ${chosen.length.toLocaleString()} selected` };
    if (this.field.value.trim()) return { items: [...this.selection.ids], words: "of this filter" };
    return { items: null, words: "of this dataset" };
  }

  private async neighbour(step: number): Promise<string | null> {
    const next = this.selection.cursor + step;
    if (next < 0 || next >= this.selection.ids.length) return null;
    this.selection.move(next, false);
    this.grid.follow();
    return this.selection.ids[next] ?? null;
  }

  // ---- keys

  private key(event: KeyboardEvent): void {
    if (anyDialogOpen()) return;
    if (isTyping(event)) {
      if (event.key === "Escape" || (event.key === "ArrowDown" && event.target === this.field)) this.box.focus();
      return;
    }
    const run = this.command(event) ?? this.movement(event);
    if (!run) return;
    event.preventDefault();
    // If nothing has the focus, give it to the grid, so that a dialog returns it there when it closes.
    if (document.activeElement === document.body) this.box.focus({ preventScroll: true });
    run();
  }

  private command(event: KeyboardEvent): (() => void) | undefined {
    if (event.ctrlKey || event.metaKey) {
      if (event.key === "a") return () => this.change(() => this.selection.all());
      if (event.key === "i") return () => this.change(() => this.selection.invert());
      return undefined;
    }
    const onButton = event.target instanceof HTMLElement && event.target.matches("button, a, summary");
    const commands: Record<string, () => void> = {
      "/": () => this.field.select(),
      g: () => this.view(this.grid.view === "grid" ? "list" : "grid"),
      r: () => this.act("check"),
      u: () => this.move("push"),
      d: () => this.move("pull"),
      t: () => this.tags.toggle(),
      l: () => this.lint.toggle(),
      c: () => this.cleanUp("rules"),
      f: () => this.cleanUp("replace"),
      a: () => this.cleanUp("tags"),
      Delete: () => this.move("delete"),
      n: () => void this.nextRed(),
      e: () => this.openCursor(true),
      Escape: () => this.change(() => this.selection.none()),
      ...(onButton
        ? {}
        : { Enter: () => this.openCursor(false), " ": () => this.change(() => this.selection.toggle()) }),
    };
    return commands[event.key];
  }

  private movement(event: KeyboardEvent): (() => void) | undefined {
    const { columns, page } = this.grid;
    const last = this.selection.ids.length - 1;
    const cursor = this.selection.cursor;
    const places: Record<string, number> = {
      ArrowRight: cursor + 1,
      ArrowLeft: cursor - 1,
      ArrowDown: cursor + columns > last ? cursor : cursor + columns,
      ArrowUp: cursor - columns < 0 ? cursor : cursor - columns,
      PageDown: cursor + columns * page,
      PageUp: cursor - columns * page,
      Home: 0,
      End: last,
    };
    const to = places[event.key];
    if (to === undefined) return undefined;
    return () => {
      this.selection.move(to, event.shiftKey);
      this.box.focus({ preventScroll: true });
      this.selected();
      this.grid.follow();
    };
  }

  /** Move to the next item that is out of sync. The server finds it: the page holds only a few rows. */
  private async nextRed(): Promise<void> {
    const query = this.field.value.trim();
    const q = query ? `(${query}) sync:red` : "sync:red";
    const address = new URLSearchParams({ q, sort: this.sort.value });
    const found = await trying(() => get<Found>(ofDataset(`search?${address}`)));
    if (!found) return;
    const places = found.ids.map((id) => this.selection.place(id)).filter((at) => at >= 0);
    const next = places.find((at) => at > this.selection.cursor) ?? places[0];
    if (next === undefined) {
      toast("Nothing here is out of sync.");
      return;
    }
    this.selection.move(next, false);
    this.box.focus({ preventScroll: true });
    this.selected();
    this.grid.follow();
  }
}

export function startDataset(): void {
  new DatasetPage().start();
}
