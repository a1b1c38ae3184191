// One click takes a batch back: offered when a cleaning ends, and for as long as its job is shown.
import { send } from "./api.ts";
import { toast, trying } from "./toast.ts";

const waited = new Set<string>();

/** Once this job of the page's own has ended, say what it did, and offer the way back. */
export function offerUndo(job: string): void {
  waited.add(job);
  look();
}

export function startUndo(): void {
  document.addEventListener("htmx:after:swap", look);
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-act=undo][data-batch]");
    if (button) void undo(button.dataset["batch"] ?? "");
  });
}

function look(): void {
  for (const job of waited) {
    const card = document.getElementById(`job-${job}`);
    if (card?.dataset["ended"] !== "yes") continue;
    waited.delete(job);
    const count = Number(card.dataset["done"]);
    const batch = card.dataset["batch"];
    const said = `${count.toLocaleString()} ${count === 1 ? "caption" : "captions"} changed.`;
    if (batch) toast(said, "info", { label: "Undo", run: () => void undo(batch) });
  }
}

async function undo(batch: string): Promise<void> {
  await trying(() => send("POST", `/api/batches/${encodeURIComponent(batch)}/undo`));
}
