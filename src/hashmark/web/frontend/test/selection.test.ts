import assert from "node:assert/strict";
import { test } from "node:test";

import { Selection } from "../src/selection.ts";

function of(...ids: string[]): Selection {
  const selection = new Selection();
  selection.show(ids);
  return selection;
}

test("another filter keeps what is in both, and the cursor on its item", () => {
  const selection = of("a", "b", "c", "d");
  selection.all();
  selection.move(2, false);
  selection.show(["c", "e", "d"]);
  assert.deepEqual([...selection.chosen], ["c", "d"]);
  assert.equal(selection.cursor, 0);
});

test("a cursor whose item is gone stays near, within the items", () => {
  const selection = of("a", "b", "c");
  selection.move(2, false);
  selection.show(["a", "b"]);
  assert.equal(selection.cursor, 1);
});

test("extending selects from where it began to the cursor, and takes back what it leaves", () => {
  const selection = of("a", "b", "c", "d", "e");
  selection.move(2, false);
  selection.move(4, true);
  assert.deepEqual([...selection.chosen].sort(), ["c", "d", "e"]);
  selection.move(1, true);
  assert.deepEqual([...selection.chosen].sort(), ["b", "c"]);
});

test("inverting asks the filter's items alone", () => {
  const selection = of("a", "b", "c");
  selection.only(1);
  selection.invert();
  assert.deepEqual([...selection.chosen].sort(), ["a", "c"]);
});

test("a filter without items has no cursor, and nothing to move to or to choose", () => {
  const selection = of("a");
  selection.show([]);
  selection.move(5, true);
  selection.toggle();
  assert.equal(selection.cursor, -1);
  assert.equal(selection.chosen.size, 0);
});
