// Edits the caption of one item as raw text. A save names the file's digest, so it never overwrites another edit.
import { get, ofDataset, RequestFailed, send, type Caption, type Piece } from "./api.ts";
import { say, trying } from "./toast.ts";

/** Return text as a text field holds it: browsers turn every line end into LF. */
export function asField(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

/** Show the pieces of a difference as elements. */
export function drawPieces(place: Element, pieces: readonly Piece[]): void {
  const tags = { both: "span", removed: "del", added: "ins" } as const;
  place.replaceChildren(
    ...pieces.map((piece) => {
      const element = document.createElement(tags[piece.change]);
      element.textContent = piece.change === "both" ? piece.text : visible(piece.text);
      return element;
    }),
  );
}

/** Spell out invisible characters: a difference in nothing but blanks would look like none. */
export function visible(text: string): string {
  return text
    .replace(/^ +$/, (blanks) => "␣".repeat(blanks.length))
    .replace(/\n/g, "⏎\n")
    .replace(/\t/g, "→")
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060\ufeff]/g, (char) => {
      return `⟨U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
    });
}

const SAVED = "Saved";
const UNSAVED = "Unsaved changes";

export class Editor {
  private readonly field: HTMLTextAreaElement;
  private readonly state: HTMLElement;
  private readonly saveButton: HTMLButtonElement;
  private readonly clash: HTMLElement;
  private readonly difference: HTMLElement;
  private readonly url: string;
  private readonly wantsDifference: boolean;
  private readonly diffUrl: string;
  private saved = "";
  private md5: string | null = null;

  constructor(root: ParentNode, item: string, article: HTMLElement) {
    const find = <T extends Element>(selector: string): T => root.querySelector<T>(selector) as T;
    this.field = find("#caption");
    this.state = find("#caption-state");
    this.saveButton = find("[data-act=save]");
    this.clash = find("#caption-clash");
    this.difference = find("#caption-diff");
    this.url = ofDataset(`captions/${item}`);
    this.diffUrl = `${this.url}/diff`;
    this.wantsDifference = article.dataset["diff"] === "yes";
    this.field.addEventListener("input", () => this.changed());
  }

  get dirty(): boolean {
    return !this.field.disabled && this.field.value !== this.saved;
  }

  get focused(): boolean {
    return document.activeElement === this.field;
  }

  focus(): void {
    this.field.focus();
  }

  /** The file may have changed on disk while it is edited here. */
  stale(): void {
    this.state.textContent = "Changed on disk or in the bucket meanwhile. You'll be warned before anything is overwritten.";
  }

  /** The message of the last save, which stays until the caption is edited. */
  get said(): string {
    return this.state.textContent === SAVED ? SAVED : "";
  }

  /** Read the caption as it is on disk. */
  async load(said = ""): Promise<void> {
    const caption = await trying(() => get<Caption>(this.url));
    if (!caption) {
      this.state.textContent = "The caption can't be read.";
      return;
    }
    this.adopt(caption);
    this.state.textContent = caption.md5 ? said : "There is no caption on disk yet.";
    this.clash.hidden = true;
    if (this.wantsDifference) await this.compare();
  }

  /** Save; false if it was not saved. */
  async save(): Promise<boolean> {
    if (this.field.disabled) return false;
    if (!this.dirty && this.md5 !== null) return true;
    const text = this.field.value;
    try {
      const caption = await send<Caption>("PUT", this.url, { text, replaces: this.md5 });
      const typed = this.field.value;
      this.adopt(caption);
      if (typed !== text) this.field.value = typed; // the reader typed while it was being saved
      this.clash.hidden = true;
      this.changed();
      this.state.textContent = this.dirty ? UNSAVED : SAVED;
      say("Caption saved");
      return true;
    } catch (error) {
      if (error instanceof RequestFailed && error.body["current"]) this.showClash(error);
      else await trying(() => Promise.reject(error as Error));
      return false;
    }
  }

  /** Save over the version on disk that was shown. */
  async overwrite(): Promise<void> {
    this.md5 = this.clash.dataset["md5"] || null;
    await this.save();
  }

  private adopt(caption: Caption): void {
    this.md5 = caption.md5;
    this.saved = asField(caption.text);
    this.field.value = this.saved;
    this.field.disabled = false;
    const key = document.getElementById("caption-key");
    if (key) key.textContent = caption.encoding === "utf-8" ? caption.key : `${caption.key}, ${caption.encoding}`;
    this.changed();
  }

  private changed(): void {
    this.field.classList.toggle("dirty", this.dirty);
    this.saveButton.disabled = !this.dirty;
    if (this.dirty) this.state.textContent = UNSAVED;
    else if (this.state.textContent === UNSAVED) this.state.textContent = "";
  }

  private showClash(error: RequestFailed): void {
    const current = error.body["current"] as Caption;
    this.clash.dataset["md5"] = current.md5 ?? "";
    this.clash.hidden = false;
    drawPieces(this.clash.querySelector(".diff") as Element, error.body["pieces"] as Piece[]);
    this.state.textContent = "Not saved: the file changed on disk.";
    say("Not saved: the file changed on disk.");
  }

  private async compare(): Promise<void> {
    const found = await trying(() => get<{ verdict: string; note: string | null; pieces: Piece[] }>(this.diffUrl));
    this.difference.hidden = !found || found.pieces.every((piece) => piece.change === "both");
    if (found) drawPieces(this.difference.querySelector(".diff") as Element, found.pieces);
  }
}
