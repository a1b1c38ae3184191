// A panel beside the grid, one at a time. Escape closes it and returns the focus to the grid.

export abstract class Panel {
  protected readonly panel: HTMLElement;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
    this.panel = document.getElementById(name) as HTMLElement;
    this.panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggle();
    });
  }

  /** Load the panel's content; called when it was opened. */
  protected abstract opened(): void;

  get open(): boolean {
    return !this.panel.hidden;
  }

  toggle(): void {
    const open = !this.open;
    for (const other of document.querySelectorAll<HTMLElement>(".panel")) other.hidden = other !== this.panel || !open;
    for (const button of document.querySelectorAll<HTMLElement>(".top [data-act][aria-pressed]"))
      button.setAttribute("aria-pressed", String(open && button.dataset["act"] === this.name));
    if (open) this.opened();
    else document.getElementById("items")?.focus({ preventScroll: true });
  }

  protected find(selector: string): HTMLElement {
    return this.panel.querySelector(selector) as HTMLElement;
  }

  protected part(name: string): HTMLInputElement {
    return this.find(`[data-part=${name}]`) as HTMLInputElement;
  }
}
