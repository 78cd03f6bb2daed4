// What the page does beyond links and forms. All of it works without this, but for what is live.
"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const full = new Intl.DateTimeFormat(undefined, { weekday: "short", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

  // Times in the reader's own zone; how far away they are is told by the server, and so stands as it is.
  const tellTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      if ("full" in time.dataset) time.textContent = full.format(at);
      time.title = `${full.format(at)} · ${at.toISOString().replace(/\.000Z$/, "Z")}`;
    }
  };

  // A log that is read at its end stays at its end.
  const follow = (log) => {
    let atEnd = true;
    log.addEventListener("scroll", () => { atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40; });
    new MutationObserver(() => { if (atEnd) log.scrollTop = log.scrollHeight; }).observe(log, { childList: true, characterData: true, subtree: true });
  };

  // The zones that this browser knows, to choose from; its own first.
  const offerZones = (list) => {
    const names = [zone, "UTC", ...(Intl.supportedValuesOf?.("timeZone") ?? [])];
    list.replaceChildren(...[...new Set(names)].map((name) => Object.assign(document.createElement("option"), { value: name })));
  };

  // One click is one action, however often it is clicked.
  const once = (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  };

  // Escape closes what a summary has opened over the page, and the focus goes back to it.
  const close = (event) => {
    const open = event.key === "Escape" && document.querySelector("details.confirm[open]");
    if (open) { open.open = false; open.querySelector("summary").focus(); }
  };

  // What was done is said once: not again when the page is loaded anew, nor when what it shows has changed since.
  const sayOnce = () => {
    const here = new URL(location.href);
    if (here.searchParams.has("done")) { here.searchParams.delete("done"); history.replaceState(null, "", here); }
  };

  // A folder that is still being read: again, unless somebody has ticked something, or is writing.
  const lookAgain = () => {
    if (!document.querySelector("#files :checked, #files input:focus")) location.reload();
  };

  const begin = () => {
    tellTimes(document);
    sayOnce();
    if (document.querySelector("[data-again]")) setInterval(lookAgain, 3000);
    document.querySelectorAll("[data-follow]").forEach(follow);
    document.querySelectorAll("[data-zones]").forEach(offerZones);
    document.addEventListener("submit", once);
    document.addEventListener("keydown", close);
    const old = document.getElementById("old");
    const isOld = (is) => { if (old) old.hidden = !is; };
    document.addEventListener("htmx:after:swap", () => { tellTimes(document); isOld(false); document.querySelector("[data-done]")?.remove(); });
    for (const event of ["htmx:response:error", "htmx:error"]) document.addEventListener(event, () => isOld(true));
    for (const notice of document.querySelectorAll("[data-insecure]")) notice.hidden = isSecureContext;
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin); else begin();
})();
