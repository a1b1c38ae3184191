// Reads the cleaning form into the table of settings that the server takes, as in hashmark.toml.

export type Mode = "rules" | "replace" | "tags";
export type Table = Record<string, unknown>;

/** The settings to preview; `lacking` names rules that are on but lack a value they need. */
export interface Wanted {
  table: Table;
  lacking: string[];
}

const part = (root: Element, name: string): HTMLInputElement | null => root.querySelector(`[data-part="${name}"]`);
const filledLines = (text: string): string[] => text.split("\n").map((line) => line.trim()).filter(Boolean);

function pairs(text: string): Table {
  const cut = filledLines(text).map((line) => line.split("=").map((side) => side.trim()));
  return Object.fromEntries(cut.map(([from, to]) => [from ?? "", to ?? ""]));
}

function replacement(root: Element): Table[] {
  const find = part(root, "find")?.value ?? "";
  if (!find) return [];
  const ticked = ["regex", "whole_word", "ignore_case"].filter((name) => part(root, name)?.checked);
  const unit = part(root, "unit")?.checked ? { unit: "tag" } : {};
  return [{ find, with: part(root, "with")?.value ?? "", ...Object.fromEntries(ticked.map((name) => [name, true])), ...unit }];
}

function length(root: Element): Table | undefined {
  const limit = Number(part(root, "limit")?.value);
  const cut = part(root, "truncate")?.checked ? { truncate: true } : {};
  return limit ? { [part(root, "unit")?.value ?? "words"]: limit, ...cut } : undefined;
}

/** Return the value of a field; undefined where it is empty. */
function read(editor: HTMLElement, own: unknown): unknown {
  const value = (editor as HTMLInputElement).value ?? "";
  if (editor instanceof HTMLSelectElement && editor.selectedOptions[0]?.dataset["own"] !== undefined) return own;
  switch (editor.dataset["is"]) {
    case "word":
      return value.trim() || undefined;
    case "lines":
      return filledLines(value).length ? filledLines(value) : undefined;
    case "pairs":
      return value.trim() ? pairs(value) : undefined;
    case "replace": {
      const found = [...editor.querySelectorAll(".replacement")].flatMap(replacement);
      return found.length ? found : undefined;
    }
    case "length":
      return length(editor);
    default:
      return { by: part(editor, "by")?.value, keep: Number(part(editor, "keep")?.value) || 0 };
  }
}

function ruled(form: HTMLFormElement): Wanted {
  const own = JSON.parse(form.dataset["settings"] ?? "{}") as Table;
  const table: Table = { ...own, profile: form.dataset["profile"] };
  const rules: string[] = [];
  const lacking: string[] = [];
  for (const row of form.querySelectorAll<HTMLElement>(".rule:not([hidden])")) {
    const name = row.dataset["rule"] ?? "";
    const parameter = row.dataset["parameter"];
    if (parameter) delete table[parameter]; // its presence would turn the rule on
    if (!row.querySelector<HTMLInputElement>("[role=switch]")?.checked) continue;
    const editor = row.querySelector<HTMLElement>("[data-setting]");
    const value = !parameter ? undefined : editor ? read(editor, own[parameter]) : own[parameter];
    if (value === undefined && row.dataset["needs"] !== undefined) {
      lacking.push(name);
      continue;
    }
    rules.push(name);
    if (parameter && value !== undefined) table[parameter] = value;
  }
  for (const row of form.querySelectorAll<HTMLElement>(".rule[hidden]")) delete table[row.dataset["parameter"] ?? ""];
  return { table: { ...table, rules }, lacking };
}

/** Return the settings that the form has in this mode. */
export function readForm(form: HTMLFormElement, mode: Mode): Wanted {
  if (mode === "rules") return ruled(form);
  const table: Table = { rules: [] };
  for (const editor of form.querySelectorAll<HTMLElement>(`[data-of=${mode}] [data-setting]`)) {
    const value = read(editor, undefined);
    if (value !== undefined) table[editor.dataset["setting"] ?? ""] = value;
  }
  return { table: { ...table, profile: mode === "tags" ? "tags" : form.dataset["profile"] }, lacking: [] };
}
