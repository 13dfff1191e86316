// The work of work.js as it goes on: a bar for each path and file, and in words what failed.

import { html } from "../core/view.js";
import { percent, size } from "../core/format.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Bar, Button } from "../parts/parts.js";
import { dismiss, dismissEnded, stop, work } from "./work.js";

const MOST = 5; // shown; the others are counted

const URGENCY = { failed: 0, running: 1, done: 2, stopped: 2, waiting: 3 };
const DRAWN = { failed: "warn", stopped: "stop", done: "info", waiting: "clock" };

export function UnderWay() {
  if (!work.value.length) return null;
  const all = [...work.value].sort((one, other) => URGENCY[one.state] - URGENCY[other.state]);
  const left = all.filter(({ state }) => state === "running" || state === "waiting").length;
  const more = all.length - MOST;
  return html`<section class="card stack tight under-way" aria-labelledby="under-way">
    <div class="row spread">
      <h2 id="under-way">${left ? t("library.under-way", { n: left }) : t("library.ended")}</h2>
      ${left < all.length && html`<${Button} kind="plain" act=${dismissEnded}>${t("library.clear")}</${Button}>`}
    </div>
    <ul class="stack tight">${all.slice(0, MOST).map((each) => html`<${Piece} key=${each.id} piece=${each} />`)}</ul>
    ${more > 0 && html`<p class="quiet small">${t("library.more-work", { n: more })}</p>`}
  </section>`;
}

function Piece({ piece }) {
  const { id, kind, name, path, state, done, of } = piece;
  const going = state === "running" || state === "waiting";
  return html`<li class="row piece">
    <${Icon} name=${DRAWN[state] ?? (kind === "upload" ? "up" : "library")} />
    <div class="grow">
      <div class="row spread">
        <span class="cut" title=${path || name}>${name}</span>
        <span class="small quiet number">${going ? progressOf(piece) : ""}</span>
      </div>
      ${going
        ? html`<${Bar} done=${done} of=${of} kind=${state === "waiting" ? "rest" : ""} label=${t("library.progress", { name })} />`
        : html`<${Ending} piece=${piece} />`}
    </div>
    ${going
      ? html`<${Button} kind="plain" icon="stop" label=${t("library.stop", { name })} act=${() => stop(id)} />`
      : html`<${Button} kind="plain" icon="cross" label=${t("library.dismiss", { name })} act=${() => dismiss(id)} />`}
  </li>`;
}

function Ending({ piece }) {
  const { state, error, skipped } = piece;
  if (state === "failed") return html`<p class="small fault-text" role="alert">${error}</p>`;
  if (state === "stopped") return html`<p class="small quiet">${t("library.stopped")}</p>`;
  return html`<details class="small"><summary>${t("library.left-out", { n: skipped.length })}</summary>
    <ul class="quiet">${skipped.map((each) => html`<li>${each}</li>`)}</ul>
  </details>`;
}

/** How far it is, in words. */
function progressOf({ kind, state, done, of, files, filesDone }) {
  if (state === "waiting") return t("library.waiting");
  if (kind === "upload") return done >= of ? t("library.storing") : t("library.sent", { done: size(done), of: size(of), part: percent(done, of) });
  if (!of) return t("library.reading");
  if (files > 1) return t("library.read-files", { done: filesDone, of: files, part: percent(done, of) });
  return t("library.read", { done: size(done), of: size(of), part: percent(done, of) });
}
