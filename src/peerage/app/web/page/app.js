// Starts the page: language and theme, who is signed in, then the view that the address bar names.

import { html, render, signal, useEffect } from "./core/view.js";
import { get, whenSignedOut } from "./core/api.js";
import { start, stop } from "./core/live.js";
import "./core/notify.js";
import { route } from "./core/route.js";
import { connection, me, status } from "./core/store.js";
import { apply } from "./core/theme.js";
import { keptLanguage, speak, t } from "./core/words.js";
import { Entrance } from "./frame/entrance.js";
import { Frame } from "./frame/frame.js";
import { Confirmations } from "./parts/dialog.js";
import { Toasts } from "./parts/toasts.js";

// A view is loaded when it is shown first; the others follow when the browser has nothing else to do.
const LOADS = {
  home: async () => (await import("./home/home.js")).Home,
  search: async () => (await import("./search/search.js")).Search,
  transfers: async () => (await import("./transfers/transfers.js")).Transfers,
  library: async () => (await import("./library/library.js")).Library,
  network: async () => (await import("./network/network.js")).Network,
  settings: async () => (await import("./settings/settings.js")).Settings,
};
const loaded = signal({});

async function need(view) {
  if (loaded.value[view]) return;
  const View = await LOADS[view]();
  loaded.value = { ...loaded.value, [view]: View };
}

function App() {
  const { view } = route.value;
  const title = connection.value === "signed-out" ? t("entrance.title") : t(`view.${view}`);
  useEffect(() => {
    need(view);
  }, [view]);
  useEffect(() => {
    document.title = `${title} · Peerage`;
  }, [title]);
  if (connection.value === "signed-out") return html`<${Entrance} onEntered=${enter} /><${Toasts} />`;
  if (me.value === null) return null;
  const View = loaded.value[view];
  const ready = View && status.value;
  return html`<${Frame} ready=${Boolean(ready)}>${ready && html`<${View} key=${view} />`}</${Frame}><${Toasts} /><${Confirmations} />`;
}

async function enter() {
  try {
    me.value = await get("me");
    connection.value = "connecting";
    start();
  } catch (error) {
    if (error.status === 401) leave();
    else setTimeout(enter, 2000); // the node is just starting
  }
}

function leave() {
  stop();
  me.value = null;
  connection.value = "signed-out";
}

apply();
whenSignedOut(leave);
await Promise.all([speak(keptLanguage()), need(route.value.view)]);
render(html`<${App} />`, document.getElementById("app"));
await enter();
const idle = globalThis.requestIdleCallback ?? ((callback) => setTimeout(callback, 1000));
idle(() => Object.keys(LOADS).forEach(need), { timeout: 5000 });
