// Shows what would be done before it is done: the server plans, the reader confirms, the server runs that plan.
import { datasetId, fragment, ofDataset, send } from "./api.ts";
import { dialog } from "./sheet.ts";
import { showTimes } from "./times.ts";
import { trying } from "./toast.ts";

export type Action = "push" | "pull" | "delete";
export type Take = "mine" | "theirs" | null;

const SIDES: Record<string, string> = { both: "disk and bucket", disk: "disk only", bucket: "bucket only" };

const VERBS: Record<Action, string> = { push: "upload", pull: "download", delete: "delete" };

/** Return the number of files in a group; it lists fewer boxes than files where there are very many. */
function countOf(offer: HTMLElement): number {
  return Number(offer.dataset["count"]);
}

function filesOf(offer: HTMLElement): HTMLInputElement[] {
  return [...offer.querySelectorAll<HTMLInputElement>(".files input")];
}

function isWhole(offer: HTMLElement): boolean {
  return offer.querySelector<HTMLInputElement>("[data-all]")?.checked ?? false;
}

/** Return the ids of the ticked files of a group. */
function tickedOf(offer: HTMLElement): string[] {
  return filesOf(offer).flatMap((file) => (file.checked ? [file.value] : []));
}

/** The dialog of one plan at a time. */
export class Plans {
  private readonly dialog = dialog("plan");
  private readonly body = document.getElementById("plan-body") as HTMLElement;
  private action: Action = "push";
  private items: string[] = [];
  private where = "both";

  constructor() {
    this.dialog.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run();
    });
    this.dialog.addEventListener("input", (event) => {
      if ((event.target as Element).id === "confirm") this.check();
    });
    this.dialog.addEventListener("change", (event) => {
      const target = event.target as HTMLSelectElement | HTMLInputElement;
      const offer = target.closest<HTMLElement>(".offer");
      if (offer) this.tick(offer, target as HTMLInputElement);
      if (target.id !== "where") return;
      this.where = target.value;
      void this.open(this.action, this.items, null);
    });
  }

  /** Plan an action on these items and show the plan. */
  async open(action: Action, items: string[], take: Take): Promise<void> {
    if (action === "delete" && this.action !== "delete") this.where = "both";
    this.action = action;
    this.items = items;
    if (!this.dialog.open) {
      const wait = document.createElement("p");
      wait.className = "lead busy";
      wait.textContent = "Comparing with the bucket …";
      this.body.replaceChildren(wait);
      this.dialog.showModal();
    }
    const where = action === "delete" ? { where: this.where } : {};
    const made = await trying(() => send<{ plan: string }>("POST", ofDataset("plan"), { action, items, take, ...where }));
    if (!made) {
      this.dialog.close();
      return;
    }
    await this.show(made.plan);
  }

  private async show(plan: string): Promise<void> {
    const url = `/d/${encodeURIComponent(datasetId())}/plans/${plan}`;
    const drawn = await trying(() => fragment(url));
    if (!drawn) {
      this.dialog.close();
      return;
    }
    this.body.replaceChildren(...drawn);
    showTimes(this.body);
    if (this.action === "delete") this.offerSides();
    if (this.body.querySelector(".offer")) this.count();
    const first = ["#confirm", "[type=submit]:not(:disabled)", "footer button"].map((what) => this.body.querySelector<HTMLElement>(what));
    first.find((element) => element !== null)?.focus();
  }

  /** Offer to delete from one side only; each choice makes a new plan. */
  private offerSides(): void {
    const label = document.createElement("label");
    label.className = "confirm";
    const select = document.createElement("select");
    select.id = "where";
    for (const [value, text] of Object.entries(SIDES)) select.append(new Option(text, value, false, value === this.where));
    label.append("Delete from ", select);
    this.body.querySelector("header")?.after(label);
  }

  /** Tick all files of a group with its first box, or that box once all files are ticked. */
  private tick(offer: HTMLElement, changed: HTMLInputElement): void {
    const all = offer.querySelector<HTMLInputElement>("[data-all]");
    if (!all) return;
    const files = filesOf(offer);
    if (changed === all) for (const file of files) file.checked = all.checked;
    else all.checked = files.length === countOf(offer) && files.every((file) => file.checked);
    all.indeterminate = !all.checked && files.some((file) => file.checked);
    this.count();
  }

  /** Say how many files run, and allow to run them if there are any. */
  private count(): void {
    const form = this.body.querySelector("form");
    let files = Number(form?.dataset["files"]);
    for (const offer of this.offers()) files += isWhole(offer) ? countOf(offer) : tickedOf(offer).length;
    const said = this.body.querySelector("#chosen");
    if (said) said.textContent = `${files.toLocaleString("en")} ${files === 1 ? "file" : "files"} to ${VERBS[this.action]}`;
    const submit = this.body.querySelector<HTMLButtonElement>("[type=submit]");
    if (submit) submit.disabled = files === 0;
  }

  private offers(): HTMLElement[] {
    return [...this.body.querySelectorAll<HTMLElement>(".offer")];
  }

  private check(): void {
    const form = this.body.querySelector("form");
    const typed = this.body.querySelector<HTMLInputElement>("#confirm")?.value.trim();
    const submit = this.body.querySelector<HTMLButtonElement>("[type=submit]");
    if (submit) submit.disabled = typed !== form?.dataset["deletes"];
  }

  private async run(): Promise<void> {
    const form = this.body.querySelector("form");
    const submit = this.body.querySelector<HTMLButtonElement>("[type=submit]");
    if (!form || !submit || submit.disabled) return;
    submit.disabled = true;
    const accept = this.offers().flatMap((offer) => (isWhole(offer) ? [offer.dataset["verdict"]] : tickedOf(offer)));
    const confirm = this.action === "delete" ? { confirm: Number(form.dataset["deletes"]) } : { accept };
    const started = await trying(() =>
      send<{ job: string }>("POST", ofDataset(this.action), { plan: form.dataset["plan"], ...confirm }),
    );
    if (started) this.dialog.close();
    else submit.disabled = false;
  }
}
