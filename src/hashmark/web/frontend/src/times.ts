// Times in the reader's own zone: the server sends them in UTC.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = 86_400_000;

/** `12:04:31` today, else with its date. */
export function shown(time: Date, now: Date): string {
  return now.getTime() - time.getTime() < DAY && time.getDate() === now.getDate() ? clock.format(time) : day.format(time);
}

/** Put every `<time data-ago>` under `root` in words. */
export function showTimes(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const text = shown(time, new Date());
    if (element.textContent !== text) element.textContent = text;
    element.title = time.toLocaleString();
  }
}

export function startTimes(): void {
  showTimes(document);
  document.addEventListener("htmx:after:swap", () => showTimes(document));
}
