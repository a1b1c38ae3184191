import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import type { Colour, Row } from "../src/api.ts";
import { Rows } from "../src/rows.ts";

/** A request of the page; the test decides when it is answered. */
interface Asked {
  ids: string[];
  answer(rows: Row[]): Promise<void>;
}

const before = { document: globalThis.document, fetch: globalThis.fetch };
afterEach(() => Object.assign(globalThis, before));

function server(): Asked[] {
  const asked: Asked[] = [];
  const ask = (url: string, { signal }: RequestInit): Promise<Response> =>
    new Promise((answer, fail) => {
      signal?.addEventListener("abort", () => fail(new DOMException("given up", "AbortError")));
      asked.push({
        ids: new URL(url, "http://here").searchParams.get("ids")!.split(","),
        answer: async (items) => {
          answer(Response.json({ items }));
          await new Promise((then) => setTimeout(then));
        },
      });
    });
  Object.assign(globalThis, { document: { body: { dataset: { dataset: "82" } } }, fetch: ask });
  return asked;
}

function row(id: string, colour: Colour): Row {
  const badge = { colour: "green" as const, verdict: "synced", evidence: null, why: "", grade: null };
  return { id, kind: "pair", name: id, colour, lead: badge, caption: null, text: "", version: null, odd: [], health: [] };
}

function want(rows: Rows, ...ids: string[]): void {
  rows.want(ids).catch((error: Error) => assert.equal(error.name, "AbortError"));
}

test("an answer does not replace a row that the server pushed since the request", async () => {
  const asked = server();
  const rows = new Rows(() => undefined);
  want(rows, "a", "b");
  rows.put([row("a", "red")]);
  await asked[0]!.answer([row("a", "green"), row("b", "green")]);
  assert.equal(rows.get("a")?.colour, "red");
  assert.equal(rows.get("b")?.colour, "green");
});

test("a pushed row is replaced by the answer to a later request", async () => {
  const asked = server();
  const rows = new Rows(() => undefined);
  want(rows, "a");
  rows.put([row("a", "red")]);
  await asked[0]!.answer([row("a", "grey")]);
  rows.markStale();
  want(rows, "a");
  await asked[1]!.answer([row("a", "green")]);
  assert.equal(rows.get("a")?.colour, "green");
});

test("rows that may have changed during a request are requested again", async () => {
  const asked = server();
  const rows = new Rows(() => undefined);
  want(rows, "a", "b");
  rows.markStale();
  want(rows, "a", "b");
  assert.deepEqual(asked.map(({ ids }) => ids), [["a", "b"], ["a", "b"]]);
  await asked[0]!.answer([row("a", "green"), row("b", "green")]);
  assert.equal(rows.get("a"), undefined, "the first answer may be of before the change");
  await asked[1]!.answer([row("a", "red"), row("b", "green")]);
  assert.equal(rows.get("a")?.colour, "red");
});

test("known and fresh rows are not requested, nor any row twice at a time", async () => {
  const asked = server();
  const rows = new Rows(() => undefined);
  want(rows, "a");
  want(rows, "a");
  assert.equal(asked.length, 1);
  await asked[0]!.answer([row("a", "green")]);
  want(rows, "a");
  assert.equal(asked.length, 1);
});
