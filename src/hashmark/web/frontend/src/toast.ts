// Short messages, also read aloud by screen readers.
import { RequestFailed, ServerUnreachable } from "./api.ts";

const INFO_MS = 5000;
const OFFER_MS = 20_000;

/** An action that a message offers. */
export interface Offer {
  label: string;
  run: () => void;
}

/** Show a message. Errors stay until they are dismissed; messages with an offer stay longer than others. */
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
  if (sort === "info") setTimeout(() => item.remove(), offer ? OFFER_MS : INFO_MS);
}

/** Announce something to screen readers only. */
export function say(message: string): void {
  const live = document.getElementById("live");
  if (live) live.textContent = message;
}

/** Run a request and show its error, if it fails. */
export async function trying<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if ((error as Error).name === "AbortError") return undefined;
    if (!(error instanceof RequestFailed || error instanceof ServerUnreachable)) console.error(error);
    toast((error as Error).message, "bad");
    return undefined;
  }
}
