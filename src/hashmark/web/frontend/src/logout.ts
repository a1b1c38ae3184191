// Logs this browser out.
import { send } from "./api.ts";
import { trying } from "./toast.ts";

export function startLogout(): void {
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-act=logout]")) void logOut();
  });
}

async function logOut(): Promise<void> {
  // The server's answer to the next page says how to log in again.
  if (await trying(() => send("POST", "/logout"))) location.assign("/");
}
