// Dialogs: the help sheet, and the buttons and keys that open and close dialogs.

export function dialog(id: string): HTMLDialogElement {
  return document.getElementById(id) as HTMLDialogElement;
}

/** Whether a dialog is open; it then receives the keys. */
export function anyDialogOpen(): boolean {
  return document.querySelector("dialog[open]") !== null;
}

export function startSheet(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-act]");
    if (button?.dataset["act"] === "sheet") dialog("sheet").showModal();
    if (button?.dataset["act"] === "close") button.closest("dialog")?.close();
    // A click on the backdrop has the dialog itself as its target.
    if (event.target instanceof HTMLDialogElement) event.target.close();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event) && !anyDialogOpen()) dialog("sheet").showModal();
  });
}

/** Whether a key press goes to a form field. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target;
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}
