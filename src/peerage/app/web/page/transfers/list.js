// The transfers, a line each.

import { html } from "../core/view.js";
import { duration, size, speed } from "../core/format.js";
import { may } from "../core/store.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { Menu } from "../parts/menu.js";
import { Bar, Button, copy, copyLink } from "../parts/parts.js";
import { Rows } from "../parts/rows.js";
import { ACTIVE, cancel, ENDED, forget, move, pause, resume, setPriority, UNDER_WAY } from "./acts.js";

const PLAYED = /\.(mp4|m4v|webm|mkv|mov|ogv|mp3|m4a|aac|flac|ogg|oga|opus|wav|png|jpe?g|gif|webp|avif|txt|md|log)$/i;
const LEVELS = ["high", "normal", "low"];

/** `onOpen(transfer)` shows more of one, `onPlay(transfer)` plays it. */
export function List({ list, onOpen, onPlay }) {
  const line = (transfer) => html`<${Line} transfer=${transfer} onOpen=${onOpen} onPlay=${onPlay} />`;
  return html`<${Rows} items=${list} keyOf=${(transfer) => transfer.content_id} line=${line} onOpen=${onOpen} label=${t("view.transfers")} />`;
}

function Line({ transfer, onOpen, onPlay }) {
  const { state, done, wanted, rate_down: rate, name } = transfer;
  const running = ACTIVE.includes(state);
  const playable = transfer.kind === "folder" || PLAYED.test(name);
  return html`
    <span class="type-icon"><${Icon} name=${transfer.kind === "folder" ? "folder" : "file"} /></span>
    <div class="grow">
      <button type="button" class="name cut" tabindex="-1" onClick=${() => onOpen(transfer)}>${name}</button>
      <div class=${`small cut ${state === "failed" ? "fault" : "quiet"}`} title=${transfer.error || transfer.note}>${words(transfer)}</div>
    </div>
    <div class="transfer-bar"><${Bar} done=${done} of=${wanted ?? 0} kind=${barKind(state)} label=${t("transfers.progress", { name })} /></div>
    <span class="number transfer-speed">${running ? speed(rate) : ""}</span>
    <span class="row transfer-acts">
      ${playable && state !== "failed" && state !== "cancelled"
        ? html`<${Button} kind="plain" icon=${transfer.kind === "folder" ? "folder" : "play"} label=${t("transfers.play", { name })} act=${() => onPlay(transfer)} />`
        : html`<span class="no-button"></span>`}
      <${Main} transfer=${transfer} />
      <${Menu} label=${t("transfers.more", { name })} items=${choices(transfer, onOpen)} />
    </span>
  `;
}

/** The one thing that is wanted most in a state. */
function Main({ transfer }) {
  const { state, name } = transfer;
  if (!may("download")) return null;
  if (UNDER_WAY.includes(state)) return html`<${Button} kind="plain" icon="pause" label=${t("transfers.pause", { name })} act=${() => pause(transfer)} />`;
  if (state === "done" || state === "cancelled") return html`<span class="no-button"></span>`;
  return html`<${Button} kind="plain" icon="play" label=${t("transfers.resume", { name })} act=${() => resume(transfer)} />`;
}

export function choices(transfer, onOpen) {
  const { state, link, path, priority } = transfer;
  const ended = ENDED.includes(state);
  const get = may("download");
  return [
    onOpen && { icon: "info", text: t("transfers.details"), act: () => onOpen(transfer) },
    link && { icon: "copy", text: t("link.copy"), act: () => copyLink(link) },
    path && { icon: "folder", text: t("transfers.copy-path"), act: () => copy(path, t("transfers.path-copied")) },
    get && !ended && "-",
    ...(get && !ended
      ? [
          ["top", "top"],
          ["up", "up"],
          ["down", "down"],
          ["bottom", "bottom"],
        ].map(([to, icon]) => ({ icon, text: t(`transfers.move.${to}`), act: () => move(transfer, to) }))
      : []),
    get && !ended && "-",
    ...(get && !ended
      ? LEVELS.map((level) => ({ icon: level === priority ? "check" : " ", text: t(`transfers.priority.${level}`), act: () => setPriority(transfer, level) }))
      : []),
    get && "-",
    get && (ended
      ? { icon: "cross", text: t("transfers.forget"), act: () => forget(transfer) }
      : { icon: "trash", text: t("transfers.cancel"), act: () => cancel(transfer), danger: true }),
  ];
}

const barKind = (state) => ({ done: "done", failed: "bad", paused: "rest", queued: "rest", cancelled: "rest" })[state] ?? "";

/** How a transfer stands, in words: what it does, how much of it is here, from how many, for how long. */
export function words({ state, size: whole, wanted, done, sources, eta, error, note }) {
  const all = wanted ?? whole;
  const amount = state === "done" || all === null ? (all === null ? "" : size(all)) : t("transfers.of", { done: size(done), all: size(all) });
  return [
    t(`state.${state}`),
    state === "failed" && error,
    amount,
    state === "running" && t("transfers.sources", { n: sources }),
    state === "running" && eta !== null && t("transfers.left", { time: duration(eta) }),
    note,
  ]
    .filter(Boolean)
    .join(" · ");
}
