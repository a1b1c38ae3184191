// The dialog of one item: picture, evidence, caption. The server renders it; this opens it, steps through items and
// refreshes it.
import { datasetId, fragment, type Row } from "./api.ts";
import { Editor } from "./editor.ts";
import type { Action, Take } from "./plans.ts";
import { dialog, isTyping } from "./sheet.ts";
import { showTimes } from "./times.ts";
import { trying } from "./toast.ts";
import { makeZoomable } from "./zoom.ts";

interface Page {
  /** Move the cursor by `step` items and return the id of that item; null at the end of the list. */
  neighbour(step: number): Promise<string | null>;
  plan(action: Action, id: string, take: Take): void;
}

export class Detail {
  private readonly dialog = dialog("detail");
  private readonly body = document.getElementById("detail-body") as HTMLElement;
  private readonly page: Page;
  private id = "";
  private drawing = 0;
  private editor: Editor | null = null;

  constructor(page: Page) {
    this.page = page;
    this.dialog.addEventListener("click", (event) => this.clicked(event));
    // On the document: when the focused button becomes disabled, nothing in the dialog has the focus.
    document.addEventListener("keydown", (event) => {
      if (this.dialog.open && document.querySelectorAll("dialog[open]").length === 1) this.key(event);
    });
    this.dialog.addEventListener("cancel", (event) => {
      if (!this.leave()) event.preventDefault();
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.editor?.dirty) event.preventDefault();
    });
  }

  /** Open an item; with `edit`, focus its caption. */
  async open(id: string, edit: boolean): Promise<void> {
    this.id = id;
    await this.draw();
    if (!this.dialog.open) this.dialog.showModal();
    if (edit) this.editor?.focus();
  }

  /** Show another item in the open dialog. If the dialog was closed meanwhile, it stays closed. */
  private async go(id: string, edit: boolean): Promise<void> {
    this.id = id;
    await this.draw();
    if (edit && this.dialog.open) this.editor?.focus();
  }

  /** Refresh if the shown item is among those that changed, unless it is being edited. */
  changed(items: readonly Row[]): void {
    if (items.some((row) => row.id === this.id)) this.refresh();
  }

  refresh(): void {
    if (!this.dialog.open) return;
    if (this.editor?.dirty) this.editor.stale();
    else void this.draw();
  }

  private async draw(): Promise<void> {
    const wanted = this.id;
    const drawing = ++this.drawing;
    await trying(async () => {
      const url = `/d/${encodeURIComponent(datasetId())}/items/${wanted}`;
      const drawn = await fragment(url);
      if (drawing !== this.drawing) return; // a newer request is under way
      const same = this.body.querySelector("article")?.dataset["item"] === wanted;
      if (same && this.editor?.dirty) {
        this.editor.stale(); // the reader typed while this was loading
        return;
      }
      const said = same ? this.editor?.said : undefined;
      const typing = this.editor?.focused ?? false;
      const view = this.body.querySelector<HTMLElement>(".stage")?.dataset["view"];
      const focused = this.focusedSelector();
      this.body.replaceChildren(...drawn);
      if (focused) this.body.querySelector<HTMLElement>(`${focused}:not(:disabled)`)?.focus();
      showTimes(this.body);
      for (const zoom of this.body.querySelectorAll<HTMLElement>(".zoom")) makeZoomable(zoom);
      if (view) this.showSide(view);
      const article = this.body.querySelector<HTMLElement>("article");
      this.editor = article?.dataset["caption"] === "yes" ? new Editor(this.body, wanted, article) : null;
      await this.editor?.load(said);
      if (typing) this.editor?.focus();
    });
  }

  /** Return a selector for the focused element: it is replaced, and keys only work while the focus stays inside. */
  private focusedSelector(): string | null {
    const focused = document.activeElement as HTMLElement | null;
    if (!focused || !this.body.contains(focused)) return null;
    return focused.dataset["act"] ? `[data-act=${focused.dataset["act"]}]` : focused.matches(".zoom") ? ".zoom" : "[data-act=next]";
  }

  private leave(): boolean {
    return !this.editor?.dirty || window.confirm("Discard unsaved changes?");
  }

  private async step(by: number): Promise<void> {
    if (!this.leave()) return;
    const next = await this.page.neighbour(by);
    if (next) await this.go(next, false);
  }

  private clicked(event: MouseEvent): void {
    const button = (event.target as Element).closest<HTMLElement>("[data-act]");
    const act = button?.dataset["act"];
    if (!button || !act) return;
    if (act === "previous") void this.step(-1);
    if (act === "next") void this.step(1);
    if (act === "view") this.showSide(button.dataset["view"] ?? "disk");
    if (act === "save") void this.editor?.save();
    if (act === "overwrite") void this.editor?.overwrite();
    if (act === "reload") void this.editor?.load();
    if (act === "take-one") this.page.plan(button.dataset["action"] as Action, this.id, button.dataset["side"] as Take);
    if (act === "close" && !this.leave()) event.stopPropagation();
  }

  /** Show the picture of one side, or both side by side. */
  private showSide(view: string): void {
    const stage = this.body.querySelector<HTMLElement>(".stage");
    if (!stage?.querySelector(".views")) return;
    stage.dataset["view"] = view;
    for (const button of stage.querySelectorAll<HTMLElement>(".views button"))
      button.setAttribute("aria-pressed", String(button.dataset["view"] === view));
    const later = stage.querySelector<HTMLImageElement>("img[data-src]:not([src])");
    if (later && view !== "disk") later.src = later.dataset["src"] ?? "";
  }

  private key(event: KeyboardEvent): void {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      void this.saveAndGoOn();
      return;
    }
    if (isTyping(event)) {
      if (event.key === "Escape") {
        event.preventDefault();
        this.dialog.querySelector<HTMLElement>("[data-act=next]")?.focus();
      }
      return;
    }
    if ((event.target as Element).closest(".zoom") && /^[+\-0]$/.test(event.key)) return;
    const keys: Record<string, () => void> = {
      ArrowLeft: () => void this.step(-1),
      ArrowRight: () => void this.step(1),
      e: () => this.editor?.focus(),
      u: () => this.page.plan("push", this.id, null),
      d: () => this.page.plan("pull", this.id, null),
    };
    const run = keys[event.key];
    if (!run || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    run();
  }

  private async saveAndGoOn(): Promise<void> {
    if (!this.editor || !(await this.editor.save())) return;
    const next = await this.page.neighbour(1);
    if (next) await this.go(next, true);
  }
}
