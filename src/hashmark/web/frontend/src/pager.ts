// Pages through a long list; only the page that is shown is requested.

/** Draws "1–50 of 271" and two buttons into `place`; `go` is called with the start of the requested page. */
export class Pager {
  private readonly place: HTMLElement;
  private readonly size: number;
  private readonly said = document.createElement("span");
  private readonly back = button("Previous page", "‹");
  private readonly on = button("Next page", "›");
  private start = 0;

  constructor(place: HTMLElement, size: number, go: (start: number) => void) {
    this.place = place;
    this.size = size;
    this.back.onclick = () => go(Math.max(0, this.start - size));
    this.on.onclick = () => go(this.start + size);
    place.replaceChildren(this.back, this.said, this.on);
    this.show(0, 0);
  }

  /** Show which page of how many entries this is. */
  show(start: number, total: number): void {
    this.start = start;
    const end = Math.min(start + this.size, total);
    this.place.hidden = total <= this.size;
    this.said.textContent = total ? `${(start + 1).toLocaleString()}–${end.toLocaleString()} of ${total.toLocaleString()}` : "";
    this.back.disabled = start === 0;
    this.on.disabled = end >= total;
  }
}

function button(label: string, sign: string): HTMLButtonElement {
  const element = document.createElement("button");
  element.type = "button";
  element.className = "ghost";
  element.textContent = sign;
  element.setAttribute("aria-label", label);
  return element;
}
