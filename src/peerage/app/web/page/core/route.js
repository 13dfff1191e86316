// Which view is shown, and what of it: the address bar says it, so that back, forward and bookmarks work.

import { signal } from "./view.js";

export const VIEWS = ["home", "search", "transfers", "library", "network", "settings"];

export const route = signal(read());

function read() {
  const view = location.pathname.replaceAll("/", "") || "home";
  return { view: VIEWS.includes(view) ? view : "home", query: Object.fromEntries(new URLSearchParams(location.search)) };
}

/** The address of a view. */
export function to(view, query = {}) {
  const said = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "" && value !== undefined));
  const text = said.toString();
  return `/${view === "home" ? "" : view}${text ? `?${text}` : ""}`;
}

/** Show a view; `replace` changes what is shown without a step to go back by. */
export function go(view, query = {}, { replace = false } = {}) {
  const address = to(view, query);
  if (address !== location.pathname + location.search) {
    history[replace ? "replaceState" : "pushState"](null, "", address);
  }
  const before = route.value.view;
  route.value = read();
  if (before !== route.value.view) scrollTo(0, 0);
}

addEventListener("popstate", () => {
  route.value = read();
});

// links within the page change the view without loading it again
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/']");
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (link.target || link.hasAttribute("download") || link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname.replaceAll("/", "") || "home", Object.fromEntries(new URLSearchParams(link.search)));
});
