// Shows times in the reader's time zone: the server sends them in UTC.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY_MS = 86_400_000;

/** Return `12:04:31` for a time of today; otherwise with its date. */
export function formatTime(time: Date, now: Date): string {
  return now.getTime() - time.getTime() < DAY_MS && time.getDate() === now.getDate() ? clock.format(time) : day.format(time);
}

/** Format every `<time data-ago>` under `root`. */
export function showTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const text = formatTime(time, new Date());
    if (element.textContent !== text) element.textContent = text;
    element.title = time.toLocaleString();
  }
}

export function startTimes(): void {
  showTimes(document);
  document.addEventListener("htmx:after:swap", () => showTimes(document));
}
