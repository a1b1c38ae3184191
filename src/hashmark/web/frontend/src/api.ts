// Requests to the server: JSON in, JSON out. Knows the shapes of the API and nothing of the page.

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

/** An error response; `body` holds what the server adds to the message. */
export class RequestFailed extends Error {
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

/** The server did not answer. */
export class ServerUnreachable extends Error {
  constructor() {
    super("The server does not answer. Is it still running?");
  }
}

/** Get JSON. Rejects with `RequestFailed`, `ServerUnreachable`, or an `AbortError` after `signal.abort()`. */
export async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await request(url, { headers: { accept: "application/json" }, signal: signal ?? null }));
}

/** Get a fragment of a page: elements whose text the server has escaped. */
export async function fragment(url: string): Promise<ChildNode[]> {
  const answer = await request(url, { headers: { accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new RequestFailed(answer.status, "http", page.querySelector("p")?.textContent ?? "Not found.", {});
  return [...page.body.childNodes];
}

async function request(url: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, options);
  } catch (error) {
    throw error instanceof TypeError ? new ServerUnreachable() : error;
  }
}

/** Send JSON. The header proves that the request is this page's own: no form and no other site can send it. */
export async function send<T>(
  method: "POST" | "PUT" | "DELETE",
  url: string,
  body: unknown = {},
  signal: AbortSignal | null = null,
): Promise<T> {
  const headers = { accept: "application/json", "content-type": "application/json", "x-hashmark": "1" };
  return read<T>(await request(url, { method, headers, body: JSON.stringify(body), signal }));
}

async function read<T>(answer: Response): Promise<T> {
  if (answer.ok) return (await answer.json()) as T;
  const body = (await answer.json().catch(() => ({}))) as Record<string, unknown>;
  const error = (body["error"] ?? {}) as { code?: string; message?: string; hint?: string };
  const message = [error.message ?? `The server answered ${answer.status}.`, error.hint].filter(Boolean).join(" ");
  throw new RequestFailed(answer.status, error.code ?? "http", message, body);
}

/** Return the address of `path` under the dataset that this page shows. */
export function ofDataset(path: string): string {
  return `/api/datasets/${encodeURIComponent(datasetId())}/${path}`;
}

export function datasetId(): string {
  return document.body.dataset["dataset"] ?? "";
}
