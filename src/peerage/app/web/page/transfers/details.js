// All of one transfer: its pieces, who gives them, its files, and what can be changed.

import { html, useState } from "../core/view.js";
import { date, percent, size, speed } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { may, transfers } from "../core/store.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Menu } from "../parts/menu.js";
import { Bar, Button, Notice, Segments } from "../parts/parts.js";
import { ACTIVE, ENDED, pause, resume, setLimit, UNDER_WAY } from "./acts.js";
import { Files } from "./files.js";
import { choices, words } from "./list.js";
import { Pieces } from "./pieces.js";

const KB = 1000;

export function Details({ id, onClose, onPlay }) {
  const [tab, setTab] = useState("sources");
  const transfer = transfers.of(id);
  if (!transfer) return null;
  const tabs = ["sources", "files", "about"].map((name) => [name, t(`transfers.tab.${name}`)]);
  return html`<${Dialog} title=${transfer.name} onClose=${onClose} foot=${html`<${Foot} transfer=${transfer} />`} wide>
    <div class="stack">
      <${Standing} transfer=${transfer} />
      <${Pieces} transfer=${transfer} />
      <${Segments} label=${t("transfers.details")} value=${tab} options=${tabs} onChange=${setTab} />
      <div class="tab-shown">
        ${tab === "sources" && html`<${Sources} transfer=${transfer} />`}
        ${tab === "files" && html`<${Files} transfer=${transfer} onPlay=${onPlay} />`}
        ${tab === "about" && html`<${About} transfer=${transfer} />`}
      </div>
    </div>
  </${Dialog}>`;
}

function Foot({ transfer }) {
  if (!may("download")) return null;
  const { state } = transfer;
  return html`
    <${Menu} label=${t("transfers.more", { name: transfer.name })} text=${t("transfers.more-short")} kind="" items=${choices(transfer)} />
    ${UNDER_WAY.includes(state) && html`<${Button} kind="main" icon="pause" act=${() => pause(transfer)}>${t("transfers.pause-short")}</${Button}>`}
    ${(state === "paused" || state === "failed") && html`<${Button} kind="main" icon="play" act=${() => resume(transfer)}>${t(state === "failed" ? "transfers.again" : "transfers.resume-short")}</${Button}>`}
  `;
}

function Standing({ transfer }) {
  const { state, done, wanted, rate_down: rate, error } = transfer;
  return html`
    ${state === "failed" && html`<${Notice} kind="bad" icon="warn"><p>${error}</p><p>${t("transfers.failed.do")}</p></${Notice}>`}
    <div class="stack tight">
      <div class="row spread wrap"><span>${words({ ...transfer, error: "" })}</span>
        <span class="number">${ACTIVE.includes(state) ? speed(rate) : ""} ${wanted ? `${percent(done, wanted)} %` : ""}</span></div>
      <${Bar} done=${done} of=${wanted ?? 0} kind=${state === "done" ? "done" : ""} label=${t("transfers.progress", { name: transfer.name })} />
    </div>
  `;
}

function Sources({ transfer }) {
  const running = ACTIVE.includes(transfer.state);
  const sources = usePoll(running ? ["transfers", transfer.content_id, "sources"] : null);
  if (!running) return html`<p class="quiet">${t("transfers.no-sources.rests")}</p>`;
  if (sources === null) return html`<p class="quiet">${t("loading")}</p>`;
  if (!sources.length) return html`<p class="quiet">${t("transfers.no-sources")}</p>`;
  return html`<div class="scrolls"><table class="sheet">
    <thead><tr>${["peer", "has", "speed", "gave"].map((key) => html`<th scope="col">${t(`transfers.source.${key}`)}</th>`)}</tr></thead>
    <tbody>${sources.map(
      (source) => html`<tr key=${source.peer_id || source.address}>
        <td>${source.name || html`<code>${source.peer_id.slice(0, 8)}</code>`}<div class="small quiet">${[source.address, source.agent].filter(Boolean).join(" · ")}</div></td>
        <td class="number">${source.here} %</td>
        <td class="number">${source.rate_down ? speed(source.rate_down) : "–"}</td>
        <td class="number">${size(source.received)}</td>
      </tr>`,
    )}</tbody>
  </table></div>`;
}

function About({ transfer }) {
  const rows = [
    ["path", transfer.path],
    ["size", transfer.size === null ? "" : size(transfer.size)],
    ["added", transfer.added ? date(transfer.added) : ""],
    ["finished", transfer.finished ? date(transfer.finished) : ""],
    ["id", transfer.content_id],
    ["link", transfer.link],
    ["note", transfer.note],
  ].filter(([, value]) => value);
  return html`<div class="stack">
    <dl class="facts">${rows.map(([key, value]) => html`<dt>${t(`transfers.fact.${key}`)}</dt><dd class=${key === "id" || key === "link" ? "mono" : ""}>${value}</dd>`)}</dl>
    ${transfer.path && html`<p class="small quiet">${t("transfers.path-hint")}</p>`}
    ${may("download") && !ENDED.includes(transfer.state) && html`<${Limit} transfer=${transfer} />`}
  </div>`;
}

function Limit({ transfer }) {
  const [kilobytes, setKilobytes] = useState(String(Math.round((transfer.limit ?? 0) / KB)));
  const save = (event) => {
    event.preventDefault();
    setLimit(transfer, Math.round(Number(kilobytes) * KB));
  };
  return html`<form class="row wrap" onSubmit=${save}>
    <label class="row wrap">${t("transfers.limit")}
      <input class="input short" type="number" min="0" max="10000000" value=${kilobytes} onInput=${(event) => setKilobytes(event.currentTarget.value)} /></label>
    <${Button} type="submit">${t("save")}</${Button}>
    <span class="small quiet">${t("transfers.limit-hint")}</span>
  </form>`;
}
