// Looking through what a peer shares, folder by folder, as far as it lets one look.

import { html, useEffect, useState } from "../core/view.js";
import { lines } from "../core/api.js";
import { size } from "../core/format.js";
import { download, targetOf } from "../core/getting.js";
import { go } from "../core/route.js";
import { may, peers, transfers } from "../core/store.js";
import { reason } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { TypeIcon } from "../parts/icons.js";
import { Badge, Button, Notice } from "../parts/parts.js";
import { Rows } from "../parts/rows.js";

export function Browse({ id, path, onClose }) {
  const [entries, setEntries] = useState([]);
  const [ended, setEnded] = useState(null);
  const [fault, setFault] = useState("");
  useEffect(() => {
    const stop = new AbortController();
    setEntries([]);
    setEnded(null);
    setFault("");
    look(id, path, stop.signal, setEntries).then(setEnded, (error) => error.name !== "AbortError" && setFault(reason(error)));
    return () => stop.abort();
  }, [id, path]);
  const name = peers.of(id)?.name || id.slice(0, 12);
  const enter = (wanted) => go("network", { browse: id, path: wanted });
  const open = (hit) => hit.type === "folder" && enter([path, hit.name].filter(Boolean).join("/"));
  const line = (hit) => html`
    <span class="type-icon"><${TypeIcon} type=${hit.type} /></span>
    <div class="grow">${hit.type === "folder" ? html`<button type="button" class="name cut" onClick=${() => open(hit)}>${hit.name}</button>` : html`<div class="cut">${hit.name}</div>`}</div>
    <span class="number small">${size(hit.size)}</span>
    ${hit.mine || transfers.of(hit.content_id)
      ? html`<${Badge} kind="good" icon="check">${t("search.here")}</${Badge}>`
      : may("download") && html`<${Button} kind="plain" icon="down" label=${t("search.get", { name: hit.name })} act=${() => download(targetOf(hit))} />`}
  `;
  return html`<${Dialog} title=${t("network.browsing", { name })} onClose=${onClose} wide>
    <div class="stack">
      <${Trail} path=${path} onEnter=${enter} />
      ${fault && html`<${Notice} kind="warn" icon="warn">${fault}</${Notice}>`}
      ${entries.length > 0 && html`<${Rows} items=${entries} keyOf=${(hit) => hit.number} line=${line} onOpen=${open} label=${t("network.browsing", { name })} high="55dvh" />`}
      ${!ended && !fault && html`<p class="quiet">${t("loading")}</p>`}
      ${ended && entries.length === 0 && html`<p>${t("network.nothing-shared")}</p>`}
      ${ended?.more && html`<p class="small quiet">${t("network.more-shared")}</p>`}
    </div>
  </${Dialog}>`;
}

/** The folders that lead here, each to go back to. */
function Trail({ path, onEnter }) {
  const parts = path.split("/").filter(Boolean);
  return html`<nav class="row wrap small" aria-label=${t("network.trail")}>
    <button type="button" class="button plain" onClick=${() => onEnter("")}>${t("network.all-shares")}</button>
    ${parts.map((part, at) => html`<span class="quiet">/</span><button type="button" class="button plain" aria-current=${at === parts.length - 1 ? "page" : undefined} onClick=${() => onEnter(parts.slice(0, at + 1).join("/"))}>${part}</button>`)}
  </nav>`;
}

async function look(id, path, signal, show) {
  const found = [];
  for await (const event of lines(["peers", id, "shares"], { query: { path }, signal })) {
    if (event.event === "end") return event;
    found.push(event.hit);
    show([...found]);
  }
  return { more: false };
}
