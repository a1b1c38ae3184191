// Short messages that come and go, read aloud by screen readers.
import { Failed, Lost } from "./api.ts";

/** Something that can be done about a message. */
export interface Offer {
  label: string;
  run: () => void;
}

/** Show a message: errors stay until they are dismissed, and what offers something stays longer. */
export function toast(message: string, sort: "info" | "bad" = "info", offer?: Offer): void {
  const box = document.getElementById("toasts");
  if (!box) return;
  const item = document.createElement("p");
  item.className = `toast ${sort}`;
  item.append(message);
  if (offer) {
    const button = document.createElement("button");
    button.textContent = offer.label;
    button.className = "offer";
    button.onclick = () => {
      item.remove();
      offer.run();
    };
    item.append(button);
  }
  const close = document.createElement("button");
  close.className = "ghost";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  close.onclick = () => item.remove();
  item.append(close);
  box.append(item);
  if (sort === "info") setTimeout(() => item.remove(), offer ? 20_000 : 5000);
}

/** Say something to screen readers only. */
export function say(message: string): void {
  const live = document.getElementById("live");
  if (live) live.textContent = message;
}

/** Run something that asks the server, and show what goes wrong. */
export async function trying<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name === "AbortError") return undefined;
    if (!(error instanceof Failed || error instanceof Lost)) console.error(error);
    toast((error as Error).message, "bad");
    return undefined;
  }
}
