// Starts what this page needs; each behaviour is its own module.
// htmx puts itself on `window`, where its extension expects it, so the order of imports matters.
import "htmx.org";
import "htmx.org/dist/ext/hx-sse.js";
import { startDataset } from "./dataset.ts";
import { startLibrary } from "./library.ts";
import { startLive } from "./live.ts";
import { startLogout } from "./logout.ts";
import { startSheet } from "./sheet.ts";
import { startTimes } from "./times.ts";
import { startUndo } from "./undo.ts";

startTimes();
startSheet();
startLive();
startUndo();
startLogout();
if (document.body.dataset["page"] === "library") startLibrary();
if (document.body.dataset["page"] === "dataset") startDataset();
