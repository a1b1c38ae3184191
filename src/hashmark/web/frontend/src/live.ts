// The page's event stream. htmx puts the fragments in place; this notices when the server is gone or has restarted.
import { send } from "./api.ts";
import { toast, trying } from "./toast.ts";

let epoch: string | null = null;
let refused = false;

/** Call `then` with each event of this name; fragments are htmx's. */
export function onEvent<T>(name: string, then: (data: T) => void): void {
  document.getElementById("events")?.addEventListener(name, (event) => {
    const detail = (event as CustomEvent<{ data: string }>).detail;
    then(JSON.parse(detail.data) as T);
  });
}

export function startLive(): void {
  onEvent<{ epoch: string }>("hello", (hello) => {
    if (epoch !== null && epoch !== hello.epoch) location.reload();
    epoch = hello.epoch;
    connected(true);
  });
  document.addEventListener("htmx:sse:error", (event) => {
    const status = (event as CustomEvent<{ status?: number }>).detail.status;
    connected(false);
    if (status === 403 && !refused) toast("You are logged out, or the server restarted. Open the newest link that hashmark printed.", "bad");
    refused = status === 403;
  });
  document.addEventListener("htmx:sse:after:connection", () => connected(true));
  document.addEventListener("click", (event) => void pressed(event));
}

/** Show whether the page is up to date. */
function connected(yes: boolean): void {
  const place = document.getElementById("connection");
  const text = yes ? "" : "Not connected";
  if (place && place.textContent !== text) place.textContent = text;
}

/** Handle the buttons of jobs, which every page has. */
async function pressed(event: MouseEvent): Promise<void> {
  const button = (event.target as Element).closest<HTMLElement>("[data-job]");
  const job = button?.dataset["job"];
  if (!button || !job) return;
  const act = button.dataset["act"];
  if (act === "cancel") await trying(() => send("POST", `/api/jobs/${job}/cancel`));
  if (act === "retry") await trying(() => send("POST", `/api/jobs/${job}/retry`));
  if (act === "forget") await trying(() => send("DELETE", `/api/jobs/${job}`));
}
