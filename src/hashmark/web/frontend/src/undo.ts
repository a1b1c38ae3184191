// Undoes a batch with one click: offered when a cleaning ends, and on its job's card.
import { send } from "./api.ts";
import { toast, trying } from "./toast.ts";

const pending = new Set<string>();

/** When this job has ended, show what it did and offer to undo it. */
export function offerUndo(job: string): void {
  pending.add(job);
  offerEnded();
}

export function startUndo(): void {
  document.addEventListener("htmx:after:swap", offerEnded);
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-act=undo][data-batch]");
    if (button) void undo(button.dataset["batch"] ?? "");
  });
}

function offerEnded(): void {
  for (const job of pending) {
    const card = document.getElementById(`job-${job}`);
    if (card?.dataset["ended"] !== "yes") continue;
    pending.delete(job);
    const count = Number(card.dataset["done"]);
    const batch = card.dataset["batch"];
    const said = `${count.toLocaleString()} ${count === 1 ? "caption" : "captions"} changed.`;
    if (batch) toast(said, "info", { label: "Undo", run: () => void undo(batch) });
  }
}

async function undo(batch: string): Promise<void> {
  await trying(() => send("POST", `/api/batches/${encodeURIComponent(batch)}/undo`));
}
