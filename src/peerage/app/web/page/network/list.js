// The peers, a line each, and what can be done with one.

import { html } from "../core/view.js";
import { patch } from "../core/api.js";
import { ago, latency, size, speed } from "../core/format.js";
import { go } from "../core/route.js";
import { may, peers } from "../core/store.js";
import { attempt } from "../core/toasts.js";
import { t } from "../core/words.js";
import { confirm } from "../parts/dialog.js";
import { Menu } from "../parts/menu.js";
import { Badge } from "../parts/parts.js";
import { Rows } from "../parts/rows.js";
import { roleOf } from "./picture.js";

export function PeerList({ peers: list, onOpen }) {
  const line = (peer) => html`<${Line} peer=${peer} onOpen=${onOpen} />`;
  return html`<${Rows} items=${list} keyOf=${(peer) => peer.peer_id} line=${line} onOpen=${onOpen} label=${t("network.peers")} />`;
}

function Line({ peer, onOpen }) {
  const { connected, name, peer_id: id, agent, addresses, friend, banned } = peer;
  const rate = (peer.rate_down ?? 0) + (peer.rate_up ?? 0);
  const seen = connected ? latency(peer.latency) : peer.last_seen ? ago(peer.last_seen) : t("network.never");
  return html`
    <span class=${`dot ${connected ? "good" : ""}`} title=${t(connected ? "network.is-connected" : "network.not-connected")}></span>
    <div class="grow">
      <button type="button" class="name cut" tabindex="-1" onClick=${() => onOpen(peer)}>${name || html`<code>${id.slice(0, 12)}</code>`}</button>
      <div class="small quiet cut">${[peer.address || addresses[0], agent].filter(Boolean).join(" · ")}</div>
    </div>
    <span class="row peer-badges">
      ${friend && html`<${Badge} kind="good" icon="friend">${t("network.friend")}</${Badge}>`}
      ${banned && html`<${Badge} kind="bad" icon="ban">${t("network.banned")}</${Badge}>`}
      ${connected && roleOf(peer) !== "other" && html`<${Badge}>${t(`network.role.${roleOf(peer)}`)}</${Badge}>`}
    </span>
    <span class="number small quiet peer-traffic">${rate > 500 ? speed(rate) : peer.received + peer.sent > 0 ? `↓ ${size(peer.received)} ↑ ${size(peer.sent)}` : ""}</span>
    <span class="number small peer-seen">${seen}</span>
    <${Menu} label=${t("network.more-for", { name: name || id.slice(0, 12) })} items=${peerActs(peer, onOpen)} />
  `;
}

const change = (peer, body) => attempt(async () => peers.put(await patch(["peers", peer.peer_id], body)));

export const rename = (peer, name) => change(peer, { name });

async function ban(peer) {
  const sure = await confirm({ title: t("network.ban.title"), text: t("network.ban.text", { name: peer.name || peer.peer_id.slice(0, 12) }), action: t("network.ban") });
  if (sure) await change(peer, { banned: true });
}

export function peerActs(peer, onOpen) {
  const owner = may("administer");
  return [
    onOpen && { icon: "info", text: t("transfers.details"), act: () => onOpen(peer) },
    may("search") && peer.connected && { icon: "eye", text: t("network.browse"), act: () => go("network", { browse: peer.peer_id }) },
    owner && "-",
    owner && { icon: "friend", text: t(peer.friend ? "network.unfriend" : "network.befriend"), act: () => change(peer, { friend: !peer.friend }) },
    owner && (peer.banned
      ? { icon: "check", text: t("network.unban"), act: () => change(peer, { banned: false }) }
      : { icon: "ban", text: t("network.ban"), act: () => ban(peer), danger: true }),
  ];
}
