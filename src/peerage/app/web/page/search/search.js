// The view "search": words in, hits as they come, and the searches that go on by themselves.

import { html, useEffect, useRef, useState } from "../core/view.js";
import { post } from "../core/api.js";
import { downloadAll, targetOf } from "../core/getting.js";
import { go, route } from "../core/route.js";
import { may, newFinds, peers, transfers } from "../core/store.js";
import { attempt, reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Badge, Button, copyLink, Empty, Notice, Segments, ViewHead } from "../parts/parts.js";
import { Player } from "../parts/player.js";
import { Details } from "./details.js";
import { Cost, Explain } from "./explain.js";
import { Filters, shown } from "./filters.js";
import { Hits } from "./hits.js";
import { Saved, saveSearch } from "./saved.js";
import { chosen, chosenHits, ended, hits, problem, running, search, stopSearch, text } from "./state.js";

const EXAMPLES = ["holiday type:image", '"live at" type:audio', "linux size>100MB -windows"];

export function Search() {
  const { q = "", saved = "" } = route.value.query;
  useEffect(() => {
    if (q && q !== text.value) search(q);
  }, [q]);
  const places = [
    ["", t("search.now")],
    ["1", html`${t("search.saved")} ${newFinds.value > 0 && html`<${Badge} kind="accent">${newFinds.value}</${Badge}>`}`],
  ];
  const show = (wanted) => go("search", wanted ? { saved: "1" } : { q: text.value });
  return html`
    <${ViewHead} title=${t("view.search")}><${Segments} label=${t("view.search")} value=${saved} options=${places} onChange=${show} /></${ViewHead}>
    ${saved ? html`<${Saved} />` : html`<${Now} />`}
  `;
}

function Now() {
  const [details, setDetails] = useState(null);
  const [playing, setPlaying] = useState(null);
  const [explained, setExplained] = useState(false);
  const list = shown(hits.value, ended.value?.ranking);
  const preview = async (hit) => {
    const begun = await begin(hit);
    if (begun) setPlaying({ hit, fresh: begun.fresh });
  };
  return html`<div class="stack">
    <${Words} />
    ${problem.value && html`<${Notice} kind="bad" icon="warn"><${Fault} error=${problem.value} /></${Notice}>`}
    ${text.value && !problem.value && html`<${Standing} onExplain=${() => setExplained(true)} />`}
    ${hits.value.length > 0 && html`<${Filters} hits=${hits.value} />`}
    ${chosen.value.size > 0 && html`<${Chosen} />`}
    ${list.length > 0 ? html`<${Hits} hits=${list} onDetails=${setDetails} onPreview=${preview} />` : html`<${Nothing} />`}
    ${details && html`<${Details} hit=${details} onClose=${() => setDetails(null)} />`}
    ${explained && ended.value && html`<${Explain} ended=${ended.value} onClose=${() => setExplained(false)} />`}
    ${playing && html`<${Preview} ...${playing} onClose=${() => setPlaying(null)} />`}
  </div>`;
}

/** Where one types; the search begins with Enter. */
function Words() {
  const [typed, setTyped] = useState(text.value);
  const input = useRef(null);
  useEffect(() => setTyped(text.value), [text.value]);
  useEffect(() => {
    if (!text.value) input.current.focus();
  }, []);
  const submit = (event) => {
    event.preventDefault();
    const wanted = typed.trim();
    if (!wanted) return;
    if (wanted === text.value) search(wanted);
    else go("search", { q: wanted });
  };
  return html`<form class="search-words row" role="search" onSubmit=${submit}>
    <input
      ref=${input}
      class="input grow"
      type="search"
      aria-label=${t("search.words")}
      placeholder=${t("search.placeholder")}
      maxlength="1000"
      enterkeyhint="search"
      value=${typed}
      onInput=${(event) => setTyped(event.currentTarget.value)}
    />
    ${running.value
      ? html`<${Button} icon="stop" act=${stopSearch}>${t("search.stop")}</${Button}>`
      : html`<${Button} kind="main" icon="search" type="submit" disabled=${!typed.trim()}>${t("search.go")}</${Button}>`}
  </form>`;
}

/** How far the search is; what it cost when it has ended. */
function Standing({ onExplain }) {
  const found = html`<strong class="number">${t("search.found", { n: hits.value.length })}</strong>`;
  return html`<div class="row wrap spread search-standing">
    <span role="status">${found} ${running.value ? html`<span class="quiet">${t("search.running")}</span>` : ended.value && html`<span class="quiet"><${Cost} ended=${ended.value} /></span>`}</span>
    <span class="row">
      ${ended.value && html`<${Button} kind="plain" icon="info" act=${onExplain}>${t("search.explain")}</${Button}>`}
      ${may("download") && html`<${Button} kind="plain" icon="star" act=${() => saveSearch(text.value)}>${t("search.save")}</${Button}>`}
    </span>
  </div>`;
}

function Fault({ error }) {
  if (error.position === null || error.position === undefined) return html`<p>${reason(error)}</p>`;
  const at = error.position;
  return html`<p>${reason(error)}</p><p><code>${text.value.slice(0, at)}<mark>${text.value.slice(at, at + 1) || " "}</mark>${text.value.slice(at + 1)}</code></p>`;
}

function Chosen() {
  const list = chosenHits.value;
  const links = list.filter((hit) => !hit.unverified).map((hit) => hit.link);
  const clear = () => {
    chosen.value = new Set();
  };
  const get = async () => {
    await downloadAll(list.map(targetOf));
    clear();
  };
  return html`<div class="notice chosen-bar">
    <strong>${t("search.chosen", { n: list.length })}</strong>
    <span class="row wrap grow">
      ${may("download") && html`<${Button} kind="main" icon="down" act=${get}>${t("search.download")}</${Button}>`}
      <${Button} icon="copy" act=${() => copyLink(links.join("\n"))}>${t("search.copy-links")}</${Button}>
      <${Button} kind="plain" act=${clear}>${t("search.clear")}</${Button}>
    </span>
  </div>`;
}

function Nothing() {
  if (running.value) return html`<p class="quiet empty">${t("search.waiting")}</p>`;
  if (problem.value) return null;
  if (hits.value.length) return html`<${Empty} icon="search" title=${t("search.filtered")} text=${t("search.filtered.text")} />`;
  if (!text.value) {
    return html`<${Empty} icon="search" title=${t("search.begin")} text=${t("search.begin.text")}>
      ${EXAMPLES.map((example) => html`<${Button} act=${() => go("search", { q: example })}><code>${example}</code></${Button}>`)}
    </${Empty}>`;
  }
  const alone = !peers.all().some((peer) => peer.connected);
  return html`<${Empty} icon="search" title=${t("search.none")} text=${t(alone ? "search.none.alone" : "search.none.text")}>
    ${alone && html`<${Button} kind="main" act=${() => go("home", { at: "doctor" })}>${t("search.none.connect")}</${Button}>`}
    ${may("download") && html`<${Button} icon="star" act=${() => saveSearch(text.value)}>${t("search.save")}</${Button}>`}
  </${Empty}>`;
}

/** Make sure that something is here or comes in; says whether it was begun for this. */
async function begin(hit) {
  if (hit.mine || transfers.items.has(hit.content_id)) return { fresh: false };
  const transfer = await attempt(() => post("transfers", { target: targetOf(hit) }));
  if (!transfer) return null;
  transfers.put(transfer);
  return { fresh: true };
}

/** A look into something that was not here: to keep it, or to leave no trace of it. */
function Preview({ hit, fresh, onClose }) {
  const file = { id: hit.content_id, path: "", name: hit.name, mime: hit.mime, size: hit.size };
  const discard = async () => {
    await attempt(() => post(["transfers", hit.content_id, "cancel"]), t("search.discarded"));
    onClose();
  };
  const done = transfers.of(hit.content_id)?.state === "done";
  const foot = fresh && html`
    ${!done && html`<${Button} kind="danger" icon="trash" act=${discard}>${t("search.discard")}</${Button}>`}
    <${Button} kind="main" icon="check" act=${onClose}>${t("search.keep")}</${Button}>
  `;
  return html`<${Player} file=${file} onClose=${onClose} foot=${foot} />`;
}
