import assert from "node:assert/strict";
import { test } from "node:test";

import type { Badge } from "../src/api.ts";
import { colourOf } from "../src/tile.ts";

function badge(verdict: string, colour: string): Badge {
  return { verdict, colour: colour as Badge["colour"], evidence: null, why: "", grade: null };
}

test("a badge has the colour that was sent, whatever its verdict", () => {
  assert.equal(colourOf(badge("synced", "green")), "green");
  assert.equal(colourOf(badge("a verdict of a later version", "cloud")), "cloud");
});

test("a colour that the page does not know is grey: red is a proof too", () => {
  assert.equal(colourOf(badge("synced", "purple")), "grey");
  assert.equal(colourOf({ verdict: "synced", evidence: null, why: "", grade: null } as Badge), "grey");
});

test("a file that is not there has no colour", () => {
  assert.equal(colourOf(null), "none");
});
