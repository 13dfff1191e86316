// Saved searches: they go on in the background, tell what they find, and download it where the user says so.

import { html, useEffect, useState } from "../core/view.js";
import { get, post } from "../core/api.js";
import { ago, count, size } from "../core/format.js";
import { download, targetOf } from "../core/getting.js";
import { go } from "../core/route.js";
import { may, wishes } from "../core/store.js";
import { attempt, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { confirm, Dialog } from "../parts/dialog.js";
import { TypeIcon } from "../parts/icons.js";
import { Badge, Button, Empty, Field } from "../parts/parts.js";
import { Menu } from "../parts/menu.js";
import { Rows } from "../parts/rows.js";

const GB = 1_000_000_000;

export function Saved() {
  const [open, setOpen] = useState(null);
  const [adding, setAdding] = useState(false);
  const all = wishes.all();
  const add = may("download") && html`<${Button} kind="main" icon="plus" act=${() => setAdding(true)}>${t("search.saved.add")}</${Button}>`;
  return html`<div class="stack">
    ${all.length === 0
      ? html`<${Empty} icon="star" title=${t("search.saved.none")} text=${t("search.saved.text")}>${add}</${Empty}>`
      : html`<div class="row">${add}</div>
          <ul class="list">${all.map((wish) => html`<${Wish} key=${wish.id} wish=${wish} onOpen=${() => setOpen(wish.id)} />`)}</ul>`}
    ${adding && html`<${Add} onClose=${() => setAdding(false)} />`}
    ${open !== null && wishes.of(open) && html`<${Results} wish=${wishes.of(open)} onClose=${() => setOpen(null)} />`}
  </div>`;
}

function Wish({ wish, onOpen }) {
  const drop = async () => {
    const sure = await confirm({ title: t("search.saved.remove"), text: t("search.saved.sure", { text: wish.text }), action: t("remove") });
    if (sure) await attempt(() => post(["wishes", wish.id, "remove"]));
  };
  const items = [
    { icon: "eye", text: t("search.saved.open"), act: onOpen },
    { icon: "search", text: t("search.saved.now"), act: () => go("search", { q: wish.text }) },
    may("download") && "-",
    may("download") && { icon: "trash", text: t("remove"), act: drop, danger: true },
  ];
  return html`<li class="line">
    <div class="grow">
      <button type="button" class="name cut" onClick=${onOpen}>${wish.text}</button>
      <div class="small quiet">${[
        wish.searched === null ? t("search.saved.never") : t("search.saved.last", { time: ago(wish.searched) }),
        wish.get_bytes > 0 && t("search.saved.gets", { got: size(wish.got_bytes), most: size(wish.get_bytes) }),
        wish.note,
      ]
        .filter(Boolean)
        .join(" · ")}</div>
    </div>
    ${wish.new > 0 && html`<${Badge} kind="accent">${t("search.saved.new", { n: wish.new })}</${Badge}>`}
    <span class="number small quiet">${t("search.found", { n: count(wish.results) })}</span>
    <${Menu} label=${t("search.saved.more", { text: wish.text })} items=${items} />
  </li>`;
}

function Add({ onClose }) {
  const [text, setText] = useState("");
  const [getting, setGetting] = useState("0");
  const [fault, setFault] = useState("");
  const save = async (event) => {
    event.preventDefault();
    try {
      wishes.put(await post("wishes", { text, get_bytes: Math.round(Number(getting) * GB) }));
      onClose();
    } catch (error) {
      setFault(error.message);
    }
  };
  const words = (id, described) => html`<input id=${id} class="input" required maxlength="1000" autofocus aria-describedby=${described}
    value=${text} onInput=${(event) => setText(event.currentTarget.value)} />`;
  const most = (id, described) => html`<input id=${id} class="input" type="number" min="0" max="100000" step="any" aria-describedby=${described}
    value=${getting} onInput=${(event) => setGetting(event.currentTarget.value)} />`;
  return html`<${Dialog} title=${t("search.saved.add")} onClose=${onClose}>
    <form class="stack" onSubmit=${save}>
      <${Field} label=${t("search.saved.words")} hint=${t("search.saved.words-hint")} fault=${fault} input=${words} />
      <${Field} label=${t("search.saved.most")} hint=${t("search.saved.most-hint")} input=${most} />
      <div class="row"><${Button} kind="main" type="submit" disabled=${!text.trim()}>${t("save")}</${Button}></div>
    </form>
  </${Dialog}>`;
}

/** What one has found; looking at it makes it seen. */
function Results({ wish, onClose }) {
  const [results, setResults] = useState(null);
  useEffect(() => {
    attempt(async () => {
      setResults(await get(["wishes", wish.id, "results"]));
      if (may("download")) await post(["wishes", wish.id, "seen"]);
    });
  }, [wish.id, wish.results]);
  const line = ({ hit, found, new: fresh, downloaded }) => html`
    <span class="type-icon"><${TypeIcon} type=${hit.type} /></span>
    <div class="grow"><div class="cut">${hit.name}</div><div class="small quiet cut">${ago(found)} · ${t("search.held", { n: hit.sources })}</div></div>
    ${fresh && html`<${Badge} kind="accent">${t("search.saved.fresh")}</${Badge}>`}
    <span class="number">${size(hit.size)}</span>
    ${downloaded
      ? html`<${Badge} kind="good">${t("search.coming")}</${Badge}>`
      : may("download") && html`<${Button} kind="plain" icon="down" label=${t("search.get", { name: hit.name })} act=${() => download(targetOf(hit))} />`}
  `;
  return html`<${Dialog} title=${wish.text} onClose=${onClose} wide>
    ${results === null
      ? html`<p class="quiet">${t("loading")}</p>`
      : results.length === 0
        ? html`<p>${t("search.saved.nothing")}</p>`
        : html`<${Rows} items=${results} keyOf=${(result) => result.hit.content_id} line=${line} label=${wish.text} high="60dvh" />`}
  </${Dialog}>`;
}

/** Save the search that is shown. */
export async function saveSearch(text) {
  const wish = await attempt(() => post("wishes", { text }));
  if (!wish) return;
  wishes.put(wish);
  say(t("search.saved.done"), "good", { text: t("getting.show"), act: () => go("search", { saved: "1" }) });
}
