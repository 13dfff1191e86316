// What is round every view: where one can go, the box to search and command, and how fast it goes.

import { html, useEffect, useRef } from "../core/view.js";
import { speed } from "../core/format.js";
import { bind } from "../core/keys.js";
import { route, to, VIEWS } from "../core/route.js";
import { connection, newFinds, statistics } from "../core/store.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { CommandBox, openCommand } from "./command.js";

const COUNTS = {
  transfers: () => statistics.value.transfers,
  search: () => newFinds.value,
};

/** `ready`: whether the view is there yet. */
export function Frame({ ready, children }) {
  const view = useRef(null);
  const shown = route.value.view;
  const first = useRef(true);
  useEffect(() => {
    if (!ready) return;
    if (first.current) first.current = false;
    else view.current.querySelector("h1")?.focus(); // so that a reader says where one is now
  }, [shown, ready]);
  useEffect(() => bind("mod+k", openCommand), []);
  useEffect(() => bind("/", openCommand), []);
  return html`
    <a class="spoken button" href="#view" onClick=${(event) => skip(event, view.current)}>${t("frame.skip")}</a>
    <div class="frame">
      <nav class="side" aria-label=${t("frame.places")}>
        <a class="brand" href="/" aria-label="Peerage"><${Icon} name="peers" /><span>Peerage</span></a>
        ${VIEWS.filter((name) => name !== "settings").map((name) => html`<${Place} name=${name} current=${shown} />`)}
        <div class="side-end"><${Place} name="settings" current=${shown} /></div>
      </nav>
      <header class="top">
        <button type="button" class="ask" onClick=${() => openCommand()}>
          <${Icon} name="search" /><span class="cut">${t("frame.ask")}</span><kbd>${KEY}</kbd>
        </button>
        <${Speeds} />
      </header>
      <main class="view" id="view" ref=${view} tabindex="-1">${children}</main>
    </div>
    ${connection.value === "lost" && html`<div class="lost" role="status">${t("frame.lost")}</div>`}
    <${CommandBox} />
  `;
}

const KEY = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ K" : "Ctrl K";

function Place({ name, current }) {
  const count = COUNTS[name]?.() ?? 0;
  return html`<a class="place" href=${to(name)} aria-current=${name === current ? "page" : undefined}>
    <${Icon} name=${name} /><span>${t(`view.${name}`)}</span>
    ${count > 0 && html`<span class="count badge accent" aria-label=${t(`frame.count.${name}`, { n: count })}>${count}</span>`}
  </a>`;
}

function Speeds() {
  const { rate_down: down, rate_up: up } = statistics.value;
  return html`<div class="speeds number">
    <span class="down"><${Icon} name="down" /><span class="spoken">${t("frame.down")}</span>${speed(down)}</span>
    <span class="up"><${Icon} name="up" /><span class="spoken">${t("frame.up")}</span>${speed(up)}</span>
  </div>`;
}

function skip(event, view) {
  event.preventDefault();
  view.focus();
}
