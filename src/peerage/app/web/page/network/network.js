// The view "network": the neighbourhood of this node as a picture and as a list, and what it is in it.

import { html } from "../core/view.js";
import { count } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { go, route } from "../core/route.js";
import { may, peers, status } from "../core/store.js";
import { t } from "../core/words.js";
import { Badge, Button, Empty, Segments, ViewHead } from "../parts/parts.js";
import { ConnectDialog } from "../parts/friend.js";
import { Browse } from "./browse.js";
import { PeerDetails } from "./details.js";
import { PeerList } from "./list.js";
import { Picture } from "./picture.js";

const GROUPS = {
  connected: ({ connected }) => connected,
  friends: ({ friend }) => friend,
  known: ({ connected, banned }) => !connected && !banned,
  banned: ({ banned }) => banned,
};

export function Network() {
  const { connect, browse, path = "", peer, group = "connected" } = route.value.query;
  const all = peers.all();
  const connected = all.filter(GROUPS.connected);
  const back = () => go("network", { group }, { replace: true });
  const open = ({ peer_id: id }) => go("network", { group, peer: id });
  const list = all.filter(GROUPS[group] ?? GROUPS.connected).sort(byWorth);
  return html`
    <${ViewHead} title=${t("view.network")}>
      ${may("administer") && html`<${Button} kind="main" icon="link" act=${() => go("network", { group, connect: "1" })}>${t("network.connect")}</${Button}>`}
    </${ViewHead}>
    <div class="stack">
      <div class="network-grid">
        <section class="card network-picture" aria-labelledby="network-near">
          <h2 id="network-near">${t("network.near")}</h2>
          <${Picture} peers=${connected} onOpen=${open} />
        </section>
        <${Place} />
      </div>
      <section class="stack tight">
        <div class="row wrap spread">
          <h2>${t("network.peers")}</h2>
          <div class="scrolls"><${Groups} all=${all} group=${group} /></div>
        </div>
        ${list.length
          ? html`<${PeerList} peers=${list} onOpen=${open} />`
          : html`<${Empty} icon="network" title=${t(`network.none.${group}`)} text=${t(`network.none.${group}.text`)}>
              ${may("administer") && html`<${Button} kind="main" icon="link" act=${() => go("network", { group, connect: "1" })}>${t("network.connect")}</${Button}>`}
            </${Empty}>`}
      </section>
      <${OldPeers} />
    </div>
    ${connect && html`<${ConnectDialog} address=${connect === "1" ? "" : connect} onClose=${back} />`}
    ${browse && html`<${Browse} id=${browse} path=${path} onClose=${back} />`}
    ${peer && html`<${PeerDetails} id=${peer} onClose=${back} onBrowse=${() => go("network", { group, browse: peer })} />`}
  `;
}

/** Those who give something now, then friends, then by what they gave. */
const byWorth = (a, b) =>
  (b.rate_down ?? 0) + (b.rate_up ?? 0) - (a.rate_down ?? 0) - (a.rate_up ?? 0) ||
  Number(b.friend) - Number(a.friend) ||
  b.received + b.sent - a.received - a.sent ||
  (b.last_seen ?? 0) - (a.last_seen ?? 0);

function Groups({ all, group }) {
  const options = Object.entries(GROUPS)
    .map(([name, fits]) => [name, all.filter(fits).length])
    .map(([name, number]) => [name, html`${t(`network.group.${name}`)} <span class="number quiet">${count(number)}</span>`]);
  return html`<${Segments} label=${t("network.peers")} value=${group} options=${options} onChange=${(wanted) => go("network", { group: wanted })} />`;
}

/** What this node is in its network, and by which ways it finds things. */
function Place() {
  const now = usePoll("status", { seconds: 5 }) ?? status.value;
  if (!now) return html`<section class="card"></section>`;
  const dialled = { true: "good", false: "warn", null: "" }[String(now.reachable)];
  return html`<section class="card stack">
    <h2>${t("network.place")}</h2>
    <dl class="facts">
      <dt>${t("network.name")}</dt><dd>${now.network}${now.private && html` <${Badge}>${t("network.private")}</${Badge}>`}</dd>
      <dt>${t("network.id")}</dt><dd class="mono">${now.peer_id}</dd>
      <dt>${t("network.at")}</dt><dd>${now.addresses.length ? now.addresses.join(", ") : t("network.nowhere")}</dd>
      <dt>${t("network.dialled")}</dt><dd><${Badge} kind=${dialled}>${t(`network.dialled.${now.reachable}`)}</${Badge}></dd>
    </dl>
    <h3>${t("network.ways")}</h3>
    <ul class="ways">
      ${now.overlays.map(
        (way) => html`<li><div class="row spread"><span>${t(`search.stage.${way.name}`)}</span><${Badge} kind=${way.serves ? "accent" : ""}>${t(`network.is.${way.role}`)}</${Badge}></div>
          <p class="small quiet">${[t("peers", { n: way.peers }), way.about].filter(Boolean).join(" · ")}</p></li>`,
      )}
    </ul>
  </section>`;
}

function OldPeers() {
  const port = status.value?.classic;
  const old = usePoll(port ? "peers/classic" : null, { seconds: 15 });
  if (!port || !old) return null;
  return html`<section class="stack tight">
    <h2>${t("network.old")}</h2>
    <p class="small quiet">${t("network.old.text", { port })}</p>
    ${old.length > 0 &&
    html`<ul class="list">${old.map((peer) => html`<li class="line" key=${peer.id}><span class=${`dot ${peer.answered ? "good" : ""}`}></span><span class="grow cut">${peer.id}</span><span class="quiet">${peer.address}</span></li>`)}</ul>`}
  </section>`;
}
