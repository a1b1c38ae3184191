// Asks the server: JSON in, JSON out. Knows the shapes of the API, and nothing of the page.

export type Colour = "green" | "red" | "grey" | "cloud" | "conflict" | "refused";

export interface Badge {
  verdict: string;
  colour: Colour;
  evidence: string | null;
  why: string;
  grade: string | null;
}

export interface Row {
  id: string;
  kind: "pair" | "caption" | "mask" | "other";
  name: string;
  colour: Colour;
  lead: Badge;
  caption: Badge | null;
  text: string | null;
  version: string | null;
  odd: string[];
  health: string[];
}

export interface Found {
  revision: number;
  total: number;
  ids: string[];
  unmeasured: number;
}

export interface Caption {
  key: string;
  text: string;
  encoding: string;
  md5: string | null;
}

export interface Piece {
  change: "both" | "removed" | "added";
  text: string;
}

/** An answer that is an error; `body` holds what the server adds to it. */
export class Failed extends Error {
  readonly status: number;
  readonly code: string;
  readonly body: Record<string, unknown>;

  constructor(status: number, code: string, message: string, body: Record<string, unknown>) {
    super(message);
    this.status = status;
    this.code = code;
    this.body = body;
  }
}

/** No answer came. */
export class Lost extends Error {
  constructor() {
    super("The server does not answer. Is it still running?");
  }
}

/** Asks for JSON. Rejects with `Failed`, `Lost`, or an `AbortError` where it was given up. */
export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await reach(url, { headers: { accept: "application/json" }, signal: signal ?? null }));
}

/** Asks for a page's fragment: elements whose text the server has escaped. */
export async function fragment(url: string): Promise<ChildNode[]> {
  const answer = await reach(url, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Failed(answer.status, "http", page.querySelector("p")?.textContent ?? "It is not there.", {});
  return [...page.body.childNodes];
}

async function reach(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (error) {
    throw error instanceof TypeError ? new Lost() : error;
  }
}

/** Sends JSON. The header marks the request as this page's own: no form and no other site can send it. */
export async function send<T>(
  method: "POST" | "PUT" | "DELETE",
  url: string,
  body: unknown = {},
  signal: AbortSignal | null = null,
): Promise<T> {
  const headers = { accept: "application/json", "content-type": "application/json", "x-hashmark": "1" };
  return read<T>(await reach(url, { method, headers, body: JSON.stringify(body), signal }));
}

async function read<T>(answer: Response): Promise<T> {
  if (answer.ok) return (await answer.json()) as T;
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const error = (body["error"] ?? {}) as { code?: string; message?: string; hint?: string };
  const message = [error.message ?? `The server answered ${answer.status}.`, error.hint].filter(Boolean).join(" ");
  throw new Failed(answer.status, error.code ?? "http", message, body);
}

/** The address of the dataset that this page shows, for `path` under it. */
export function ofDataset(path: string): string {
  return `/api/datasets/${encodeURIComponent(datasetId())}/${path}`;
}

export function datasetId(): string {
  return document.body.dataset["dataset"] ?? "";
}
