// All that is known of one peer.

import { html, useState } from "../core/view.js";
import { ago, date, latency, size, speed } from "../core/format.js";
import { may, peers } from "../core/store.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Menu } from "../parts/menu.js";
import { Button, Field } from "../parts/parts.js";
import { peerActs, rename } from "./list.js";

export function PeerDetails({ id, onClose, onBrowse }) {
  const peer = peers.of(id);
  if (!peer) return null;
  const foot = html`
    <${Menu} label=${t("network.more-for", { name: peer.name || id.slice(0, 12) })} text=${t("transfers.more-short")} kind="" items=${peerActs(peer)} />
    ${peer.connected && may("search") && html`<${Button} kind="main" icon="eye" act=${onBrowse}>${t("network.browse")}</${Button}>`}
  `;
  return html`<${Dialog} title=${peer.name || id.slice(0, 12)} onClose=${onClose} foot=${foot}>
    <div class="stack">
      <dl class="facts">${facts(peer).map(([key, value]) => html`<dt>${t(`network.fact.${key}`)}</dt><dd class=${key === "id" ? "mono" : ""}>${value}</dd>`)}</dl>
      ${may("administer") && html`<${Name} key=${id} peer=${peer} />`}
    </div>
  </${Dialog}>`;
}

function facts(peer) {
  const roles = (peer.roles ?? []).map((role) => t(`network.role.${role}`)).join(", ");
  return [
    ["id", peer.peer_id],
    ["addresses", peer.addresses.join(", ")],
    ["agent", peer.agent],
    ["roles", roles],
    ["since", peer.connected && peer.since ? ago(peer.since) : ""],
    ["dialled", typeof peer.dialled === "boolean" && peer.connected ? t(peer.dialled ? "network.by-us" : "network.by-them") : ""],
    ["latency", peer.connected ? latency(peer.latency) : ""],
    ["speed", peer.connected && peer.rate_down !== undefined ? `↓ ${speed(peer.rate_down)}, ↑ ${speed(peer.rate_up)}` : ""],
    ["received", size(peer.received)],
    ["sent", size(peer.sent)],
    ["seen", !peer.connected && peer.last_seen ? date(peer.last_seen) : ""],
  ].filter(([, value]) => value);
}

function Name({ peer }) {
  const [name, setName] = useState(peer.name);
  const save = (event) => {
    event.preventDefault();
    rename(peer, name.trim());
  };
  const input = (id, described) => html`<input id=${id} class="input" maxlength="64" aria-describedby=${described} value=${name} onInput=${(event) => setName(event.currentTarget.value)} />`;
  return html`<form class="row name-form" onSubmit=${save}>
    <div class="grow"><${Field} label=${t("network.call")} hint=${t("network.call-hint")} input=${input} /></div>
    <${Button} type="submit" disabled=${name === peer.name}>${t("save")}</${Button}>
  </form>`;
}
