// Shows what would be done before it is done: the server plans, the reader confirms, the server runs that plan.
import { datasetId, fragment, ofDataset, send } from "./api.ts";
import { dialog } from "./sheet.ts";
import { trying } from "./toast.ts";

export type Action = "push" | "pull" | "delete";
export type Take = "mine" | "theirs" | null;

const SIDES: Record<string, string> = { both: "disk and bucket", disk: "disk only", bucket: "bucket only" };

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
    this.dialog.addEventListener("click", (event) => {
      const take = (event.target as Element).closest<HTMLElement>("[data-act=take]");
      if (take) void this.open(this.action, this.items, take.dataset["side"] as Take);
    });
    this.dialog.addEventListener("input", (event) => {
      if ((event.target as Element).id === "confirm") this.check();
    });
    this.dialog.addEventListener("change", (event) => {
      const target = event.target as HTMLSelectElement;
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
    if (this.action === "delete") this.offerSides();
    const first = ["#confirm", "[type=submit]", "footer button"].map((what) => this.body.querySelector<HTMLElement>(what));
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
    const confirm = this.action === "delete" ? { confirm: Number(form.dataset["deletes"]) } : {};
    const started = await trying(() =>
      send<{ job: string }>("POST", ofDataset(this.action), { plan: form.dataset["plan"], ...confirm }),
    );
    if (started) this.dialog.close();
    else submit.disabled = false;
  }
}
