// The view "transfers": what comes in, came in, or waits.

import { html, useEffect, useState } from "../core/view.js";
import { get, post } from "../core/api.js";
import { count } from "../core/format.js";
import { go, route } from "../core/route.js";
import { may, transfers } from "../core/store.js";
import { attempt } from "../core/toasts.js";
import { language, t } from "../core/words.js";
import { Menu } from "../parts/menu.js";
import { Button, Empty, Segments, ViewHead } from "../parts/parts.js";
import { Player, shownAs } from "../parts/player.js";
import { forgetFinished, UNDER_WAY } from "./acts.js";
import { Add } from "./add.js";
import { Details } from "./details.js";
import { List } from "./list.js";

const GROUPS = {
  all: () => true,
  active: ({ state }) => UNDER_WAY.includes(state),
  paused: ({ state }) => state === "paused",
  done: ({ state }) => state === "done",
  failed: ({ state }) => state === "failed" || state === "cancelled",
};

const SORTS = {
  place: (a, b) => (a.place ?? 0) - (b.place ?? 0),
  added: (a, b) => (b.added ?? 0) - (a.added ?? 0),
  name: (a, b) => collator().compare(a.name, b.name),
  progress: (a, b) => b.done / (b.wanted || 1) - a.done / (a.wanted || 1),
  speed: (a, b) => b.rate_down - a.rate_down,
  size: (a, b) => (b.wanted ?? 0) - (a.wanted ?? 0),
};

let collators = {};
const collator = () => (collators[language.value] ??= new Intl.Collator(language.value, { numeric: true }));

export function Transfers() {
  const { add, show, group = "all" } = route.value.query;
  const [playing, setPlaying] = useState(null);
  const [sort, setSort] = useState("place");
  const [words, setWords] = useState("");
  const all = transfers.all();
  const list = shown(all, group, words, sort);
  const open = (transfer) => go("transfers", { group, show: transfer.content_id });
  const close = () => go("transfers", { group }, { replace: true });
  const play = async (transfer) => {
    const file = await attempt(() => only(transfer));
    if (file) setPlaying(file);
    else open(transfer);
  };
  return html`
    <${ViewHead} title=${t("view.transfers")}>
      ${may("download") && html`<${Button} kind="main" icon="link" act=${() => go("transfers", { group, add: "1" })}>${t("transfers.add")}</${Button}>`}
      ${may("download") && all.length > 0 && html`<${Menu} label=${t("transfers.all-more")} items=${forAll(all)} kind="" />`}
    </${ViewHead}>
    ${all.length === 0
      ? transfers.loaded.value && html`<${Nothing} />`
      : html`<div class="stack">
          <${Tools} all=${all} group=${group} sort=${sort} onSort=${setSort} words=${words} onWords=${setWords} />
          ${list.length
            ? html`<${List} list=${list} onOpen=${open} onPlay=${play} />`
            : html`<${Empty} icon="transfers" title=${t("transfers.none-here")} />`}
        </div>`}
    ${add && html`<${Add} link=${add === "1" ? "" : add} onClose=${close} />`}
    ${show && html`<${Details} id=${show} onClose=${close} onPlay=${setPlaying} />`}
    ${playing && html`<${Player} file=${playing} onClose=${() => setPlaying(null)} />`}
  `;
}

function shown(all, group, words, sort) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ name }) => wanted.every((word) => name.toLowerCase().includes(word));
  return all.filter((transfer) => (GROUPS[group] ?? GROUPS.all)(transfer) && fits(transfer)).sort(SORTS[sort]);
}

function Tools({ all, group, sort, onSort, words, onWords }) {
  const groups = Object.entries(GROUPS)
    .map(([name, fits]) => [name, all.filter(fits).length])
    .filter(([name, number]) => number > 0 || name === "all" || name === group)
    .map(([name, number]) => [name, html`${t(`transfers.group.${name}`)} <span class="number quiet">${count(number)}</span>`]);
  return html`<div class="row wrap spread transfer-tools">
    <div class="scrolls"><${Segments} label=${t("transfers.group")} value=${group} options=${groups} onChange=${(wanted) => go("transfers", wanted === "all" ? {} : { group: wanted })} /></div>
    <div class="row wrap">
      <input class="input short" type="search" aria-label=${t("transfers.find")} placeholder=${t("transfers.find")} value=${words} onInput=${(event) => onWords(event.currentTarget.value)} />
      <select class="input short" aria-label=${t("transfers.sort")} value=${sort} onChange=${(event) => onSort(event.currentTarget.value)}>
        ${Object.keys(SORTS).map((name) => html`<option value=${name} selected=${name === sort}>${t(`transfers.sort.${name}`)}</option>`)}
      </select>
    </div>
  </div>`;
}

function Nothing() {
  return html`<${Empty} icon="transfers" title=${t("transfers.none")} text=${t("transfers.none.text")}>
    <${Button} kind="main" icon="search" act=${() => go("search")}>${t("view.search")}</${Button}>
    ${may("download") && html`<${Button} icon="link" act=${() => go("transfers", { add: "1" })}>${t("transfers.add")}</${Button}>`}
  </${Empty}>`;
}

function forAll(all) {
  const each = (fits, what) => () =>
    attempt(async () => {
      for (const { content_id: id } of all.filter(fits)) await post(["transfers", id, what]);
    });
  return [
    { icon: "pause", text: t("command.pause-all"), act: each(GROUPS.active, "pause"), disabled: !all.some(GROUPS.active) },
    { icon: "play", text: t("command.resume-all"), act: each(GROUPS.paused, "resume"), disabled: !all.some(GROUPS.paused) },
    { icon: "cross", text: t("transfers.forget-finished"), act: forgetFinished, disabled: !all.some(GROUPS.done) },
  ];
}

/** The file of a transfer that is one file and can be shown; undefined for folders and the rest. */
async function only(transfer) {
  const files = await get(["files", transfer.content_id]);
  if (files.length !== 1 || !shownAs(files[0].mime)) return undefined;
  const [{ path, mime, size }] = files;
  return { id: transfer.content_id, path, name: transfer.name, mime, size };
}
