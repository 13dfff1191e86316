// Starts the page: language and theme, who is signed in, then the view that the address bar names.

import { html, render, useEffect } from "./core/view.js";
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
import { Home } from "./home/home.js";
import { Library } from "./library/library.js";
import { Network } from "./network/network.js";
import { Search } from "./search/search.js";
import { Settings } from "./settings/settings.js";
import { Transfers } from "./transfers/transfers.js";

const VIEWS = { home: Home, search: Search, transfers: Transfers, library: Library, network: Network, settings: Settings };

function App() {
  const { view } = route.value;
  const title = connection.value === "signed-out" ? t("entrance.title") : t(`view.${view}`);
  useEffect(() => {
    document.title = `${title} · Peerage`;
  }, [title]);
  if (connection.value === "signed-out") return html`<${Entrance} onEntered=${enter} /><${Toasts} />`;
  if (me.value === null) return null;
  const View = VIEWS[view];
  return html`<${Frame}>${status.value && html`<${View} key=${view} />`}</${Frame}><${Toasts} /><${Confirmations} />`;
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
await speak(keptLanguage());
render(html`<${App} />`, document.getElementById("app"));
await enter();
