// The dialog that cleans captions: rules or one bulk change, a live preview, and a button that applies exactly that.
import { datasetId, fragment, get, ofDataset, RequestFailed, send, ServerUnreachable, type Piece } from "./api.ts";
import { readForm, type Mode } from "./cleanform.ts";
import { drawPieces } from "./editor.ts";
import { Pager } from "./pager.ts";
import { dialog } from "./sheet.ts";
import { trying } from "./toast.ts";
import { offerUndo } from "./undo.ts";

const PAGE_ROWS = 50;
const DEBOUNCE_MS = 250;
const LOADING = "Loading preview …";
const LISTS = ["changes", "flags", "skipped"] as const;
type List = (typeof LISTS)[number];

interface Entry {
  key: string;
  item: string | null;
  version: string | null;
  rules?: string[];
  rule?: string;
  message?: string;
  note?: string | null;
  pieces?: Piece[];
}

interface Preview {
  preview: string;
  looked: number;
  changed: number;
  counts: Record<string, number>;
  flagCounts: Record<string, number>;
  totals: Record<List | "orphans", number>;
  changes: Entry[];
  flags: Entry[];
  skipped: Entry[];
}

/** Which captions to clean: those of these items, or all (null). `words` describes them, as in "of this filter". */
export interface Scope {
  items: string[] | null;
  words: string;
}

export class Clean {
  private readonly dialog = dialog("clean");
  private readonly body = document.getElementById("clean-body") as HTMLElement;
  private scope: Scope = { items: null, words: "" };
  private mode: Mode = "rules";
  private list: List = "changes";
  /** The list to show if it is not empty. */
  private wanted: List = "changes";
  private request: AbortController | null = null;
  private timer = 0;
  private preview: Preview | null = null;
  private pager: Pager | null = null;

  constructor() {
    this.dialog.addEventListener("click", (event) => this.clicked(event.target as Element));
    this.dialog.addEventListener("input", () => this.previewSoon());
    this.dialog.addEventListener("keydown", (event) => {
      // Enter updates the preview; it never applies what was not previewed.
      if (event.key !== "Enter" || !(event.target as Element).matches("input")) return;
      event.preventDefault();
      void this.loadPreview();
    });
    this.dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.apply();
    });
    this.dialog.addEventListener("close", () => this.stop());
  }

  /** Open the dialog for these captions; `fill` sets fields of that mode. */
  async open(scope: Scope, mode: Mode, fill: Record<string, string> = {}): Promise<void> {
    this.scope = scope;
    this.wanted = "changes";
    const drawn = await trying(() => fragment(`/d/${encodeURIComponent(datasetId())}/clean`));
    if (!drawn) return;
    this.body.replaceChildren(...drawn);
    this.preview = null;
    this.pager = new Pager(this.find(".pager"), PAGE_ROWS, (start) => void this.turn(start));
    if (!this.dialog.open) this.dialog.showModal();
    this.profile(this.form.dataset["profile"] ?? "prose");
    this.turnTo(mode);
    for (const [name, value] of Object.entries(fill))
      this.find<HTMLInputElement>(`[data-of=${mode}] [data-setting=${name}]`).value = value;
    void this.loadPreview();
  }

  private get form(): HTMLFormElement {
    return this.find<HTMLFormElement>("#clean-form");
  }

  private find<T extends HTMLElement = HTMLElement>(selector: string): T {
    return this.body.querySelector<T>(selector) as T;
  }

  private clicked(target: Element): void {
    const button = target.closest<HTMLElement>("button");
    if (!button) return;
    const { mode, profile, list, act } = button.dataset;
    if (mode) this.turnTo(mode as Mode);
    if (profile) this.profile(profile);
    if (list) this.turnList(list as List);
    if (act === "add-replacement") addReplacement(button);
    if (mode || profile) void this.loadPreview();
  }

  private press(name: string, value: string): void {
    for (const button of this.body.querySelectorAll<HTMLElement>(`button[data-${name}]`))
      button.setAttribute("aria-pressed", String(button.dataset[name] === value));
  }

  private turnTo(mode: Mode): void {
    this.mode = mode;
    this.press("mode", mode);
    this.find<HTMLDetailsElement>(".clean-rules").open = mode !== "rules" || window.innerWidth > 720;
    for (const part of this.body.querySelectorAll<HTMLElement>(".clean-rules > [data-of]"))
      part.hidden = part.dataset["of"] !== mode;
    this.find(mode === "rules" ? "button[data-mode=rules]" : `[data-of=${mode}] input`).focus();
  }

  /** Show the rules for tags or for prose, and switch on those that the dataset has on. */
  private profile(profile: string): void {
    this.form.dataset["profile"] = profile;
    this.press("profile", profile);
    for (const row of this.body.querySelectorAll<HTMLElement>(".rule")) {
      row.hidden = !(row.dataset["profiles"] ?? "").split(" ").includes(profile);
      const input = row.querySelector<HTMLInputElement>("[role=switch]");
      if (input) input.checked = input.disabled || (row.dataset["on"] ?? "").split(" ").includes(profile);
    }
  }

  // ---- the preview

  private previewSoon(): void {
    clearTimeout(this.timer);
    this.request?.abort();
    this.block(LOADING);
    this.timer = window.setTimeout(() => void this.loadPreview(), DEBOUNCE_MS);
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.request?.abort();
    this.request = null;
  }

  /** Show a message and disable Apply. */
  private block(message: string, bad = false): void {
    this.find<HTMLButtonElement>("[type=submit]").disabled = true;
    const place = this.find("#clean-said");
    place.textContent = message;
    place.classList.toggle("bad", bad);
    place.classList.toggle("busy", message === LOADING);
  }

  private async loadPreview(): Promise<void> {
    this.stop();
    const request = (this.request = new AbortController());
    const { table, lacking } = readForm(this.form, this.mode);
    this.showParameters();
    this.block(LOADING);
    try {
      const body = { items: this.scope.items, table };
      const found = await send<Preview>("POST", ofDataset("clean/preview"), body, request.signal);
      if (request !== this.request) return;
      this.take(found, lacking);
    } catch (error) {
      if ((error as Error).name === "AbortError" || request !== this.request) return;
      this.fail(error as Error);
    }
  }

  /** Show an error within the dialog: a toast would be behind it. */
  private fail(error: Error): void {
    if (!(error instanceof RequestFailed || error instanceof ServerUnreachable)) console.error(error);
    this.block(error.message, true);
  }

  private take(found: Preview, lacking: string[]): void {
    this.preview = found;
    const count = (n: number): string => `${n.toLocaleString()} ${n === 1 ? "caption" : "captions"}`;
    this.find("#clean-scope").textContent = `${count(found.looked)} ${this.scope.words}`;
    this.block(found.changed ? `${count(found.changed)} would change.` : this.idle(lacking));
    const apply = this.find<HTMLButtonElement>("[type=submit]");
    apply.disabled = found.changed === 0;
    apply.textContent = found.changed ? `Apply to ${count(found.changed)}` : "Apply";
    this.tally(found, lacking);
    const orphans = this.find("#clean-orphans");
    orphans.hidden = found.totals.orphans === 0;
    const [are, them] = found.totals.orphans === 1 ? ["is", "it"] : ["are", "them"];
    orphans.textContent = `${count(found.totals.orphans)} without an image ${are} skipped. Select ${them} to clean ${them} too.`;
    for (const name of LISTS) this.find(`[data-list=${name}] b`).textContent = found.totals[name].toLocaleString();
    this.list = [this.wanted, ...LISTS].find((name) => found.totals[name] > 0) ?? "changes";
    this.press("list", this.list);
    this.draw(found, 0);
  }

  private idle(lacking: string[]): string {
    if (this.mode === "replace" && !this.find<HTMLInputElement>("[data-of=replace] [data-part=find]").value)
      return "Enter the text to find.";
    if (lacking.length) return `Nothing would change. Enter a value for: ${lacking.join(", ")}.`;
    return "Nothing would change.";
  }

  private showParameters(): void {
    for (const row of this.body.querySelectorAll<HTMLElement>(".rule")) {
      const parameter = row.querySelector<HTMLElement>(".parameter");
      if (parameter) parameter.hidden = !row.querySelector<HTMLInputElement>("[role=switch]")?.checked;
    }
    const on = this.body.querySelectorAll(".rule:not([hidden]) [role=switch]:checked").length;
    this.find("#clean-on").textContent = this.mode === "rules" ? `${on} ${on === 1 ? "rule is" : "rules are"} on` : "What to change";
  }

  private tally(found: Preview, lacking: string[]): void {
    for (const row of this.body.querySelectorAll<HTMLElement>(".rule")) {
      const name = row.dataset["rule"] ?? "";
      const changed = this.mode === "rules" ? (found.counts[name] ?? 0) : 0;
      const flagged = this.mode === "rules" ? (found.flagCounts[name] ?? 0) : 0;
      const said = [
        changed ? `${changed.toLocaleString()} changed` : "",
        flagged ? `${flagged.toLocaleString()} to review` : "",
      ];
      const place = row.querySelector<HTMLElement>(".tally");
      if (place) place.textContent = lacking.includes(name) ? "needs a value" : said.filter(Boolean).join(", ");
    }
  }

  private turnList(list: List): void {
    this.list = this.wanted = list;
    this.press("list", list);
    if (this.preview) void this.turn(0);
  }

  /** Show another page of the preview. */
  private async turn(start: number): Promise<void> {
    const name = this.preview?.preview;
    if (!name) return;
    try {
      const found = await get<Preview>(ofDataset(`clean/preview/${name}?start=${start}&count=${PAGE_ROWS}`));
      if (name === this.preview?.preview) this.draw(found, start);
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404) await this.loadPreview(); // expired
      else this.fail(error as Error);
    }
  }

  private draw(found: Preview, start: number): void {
    const list = this.find("#clean-list");
    list.replaceChildren(...found[this.list].map(entryView));
    list.scrollTop = 0;
    this.pager?.show(start, found.totals[this.list]);
  }

  private async apply(): Promise<void> {
    const button = this.find<HTMLButtonElement>("[type=submit]");
    if (!this.preview || button.disabled) return;
    button.disabled = true;
    try {
      const { job } = await send<{ job: string }>("POST", ofDataset("clean"), { preview: this.preview.preview });
      this.dialog.close();
      offerUndo(job);
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 404) await this.loadPreview();
      else {
        this.fail(error as Error);
        button.disabled = false;
      }
    }
  }
}

function addReplacement(button: HTMLElement): void {
  const box = button.closest("p")?.previousElementSibling;
  const copy = box?.lastElementChild?.cloneNode(true) as HTMLElement | undefined;
  if (!box || !copy) return;
  for (const input of copy.querySelectorAll("input")) {
    input.value = "";
    input.checked = false;
  }
  box.append(copy);
  copy.querySelector("input")?.focus();
}

function entryView(entry: Entry): HTMLLIElement {
  const row = document.createElement("li");
  row.append(thumbnail(entry));
  const head = document.createElement("p");
  const name = document.createElement("b");
  name.textContent = entry.key || "The folder";
  const why = document.createElement("span");
  why.className = "quiet";
  why.textContent = [...(entry.rules ?? []), entry.rule ?? ""].filter(Boolean).join(", ");
  head.append(name, " ", why);
  const text = document.createElement("div");
  text.append(head);
  if (entry.note || entry.message) {
    const note = document.createElement("p");
    note.className = "said";
    note.textContent = entry.note ?? entry.message ?? "";
    text.append(note);
  }
  if (entry.pieces?.some((piece) => piece.change !== "both")) {
    const diff = document.createElement("p");
    diff.className = "words";
    drawPieces(diff, entry.pieces);
    text.append(diff);
  }
  row.append(text);
  return row;
}

function thumbnail(entry: Entry): HTMLElement {
  const place = document.createElement("span");
  place.className = "small-picture";
  if (!entry.item || !entry.version) return place;
  const image = document.createElement("img");
  image.alt = "";
  image.loading = "lazy";
  image.src = ofDataset(`items/${entry.item}/picture?side=320&v=${entry.version}`);
  place.append(image);
  return place;
}
