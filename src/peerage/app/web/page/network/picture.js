// The neighbourhood as a picture: this node in the middle, those it is linked to around it, each line as thick as what
// goes over it now. It shows what this node knows: its own links, not those between others.

import { html, useEffect, useState } from "../core/view.js";
import { speed } from "../core/format.js";
import { t } from "../core/words.js";

const MOST = 48; // a ring of more is no picture any more
const WIDE = { width: 640, height: 420 };
const NARROW = { width: 360, height: 340 };
const ROLES = ["supernode", "index", "leaf", "neighbour", "dht"]; // the weightiest first: it is the one that is shown

export const roleOf = (peer) => ROLES.find((role) => peer.roles?.includes(role)) ?? "other";
const nameOf = (peer) => peer.name || peer.peer_id.slice(0, 6);

export function Picture({ peers, onOpen }) {
  const shown = [...peers].sort((a, b) => ROLES.indexOf(roleOf(a)) - ROLES.indexOf(roleOf(b)) || (a.peer_id < b.peer_id ? -1 : 1)).slice(0, MOST);
  const { width, height } = useNarrow() ? NARROW : WIDE;
  const middle = { x: width / 2, y: height / 2 };
  const places = shown.map((peer, at) => placeOf(at, shown.length, middle));
  return html`<figure>
    <svg class="near" viewBox=${`0 0 ${width} ${height}`} role="group" aria-label=${t("network.picture", { n: peers.length })}>
      ${shown.map((peer, at) => html`<${Line} key=${`line-${peer.peer_id}`} peer=${peer} place=${places[at]} middle=${middle} />`)}
      <circle class="self" cx=${middle.x} cy=${middle.y} r="22" />
      <text class="self-name" x=${middle.x} y=${middle.y + 5}>${t("network.you")}</text>
      ${shown.map((peer, at) => html`<${Node} key=${peer.peer_id} peer=${peer} place=${places[at]} onOpen=${onOpen} crowded=${shown.length > 20} />`)}
    </svg>
    <figcaption class="row wrap small">
      ${[...new Set(shown.map(roleOf))].map((role) => html`<span class=${`role-key ${role}`}>${t(`network.role.${role}`)}</span>`)}
      ${peers.length > MOST && html`<span class="quiet">${t("network.more", { n: peers.length - MOST })}</span>`}
      ${peers.length === 0 && html`<span class="quiet">${t("network.alone")}</span>`}
    </figcaption>
  </figure>`;
}

const narrow = matchMedia("(max-width: 639px)");

function useNarrow() {
  const [is, setIs] = useState(narrow.matches);
  useEffect(() => {
    const changed = () => setIs(narrow.matches);
    narrow.addEventListener("change", changed);
    return () => narrow.removeEventListener("change", changed);
  }, []);
  return is;
}

/** One ring up to 16, then two, the inner one for the weightier half. */
function placeOf(at, all, middle) {
  const rings = all > 16 ? 2 : 1;
  const inner = rings === 2 ? Math.floor(all * 0.38) : 0;
  const first = rings === 2 && at < inner;
  const [place, many] = first ? [at, inner] : [at - inner, all - inner];
  const reach = first ? 0.55 : 1;
  const angle = (2 * Math.PI * place) / many - Math.PI / 2 + (first ? Math.PI / many : 0);
  return { x: middle.x + Math.cos(angle) * (middle.x - 52) * reach, y: middle.y + Math.sin(angle) * (middle.y - 48) * reach };
}

function Line({ peer, place, middle }) {
  const down = peer.rate_down ?? 0;
  const up = peer.rate_up ?? 0;
  const thick = 1.5 + Math.min(6, Math.log10(1 + (down + up) / 1000) * 1.6);
  const kind = down + up < 500 ? "idle" : down >= up ? "down" : "up";
  return html`<line class=${`link ${kind}`} x1=${middle.x} y1=${middle.y} x2=${place.x} y2=${place.y} stroke-width=${thick} />`;
}

function Node({ peer, place, onOpen, crowded }) {
  const name = nameOf(peer);
  const role = roleOf(peer);
  const rates = [peer.rate_down > 500 && `↓ ${speed(peer.rate_down)}`, peer.rate_up > 500 && `↑ ${speed(peer.rate_up)}`].filter(Boolean).join(" ");
  const said = [name, t(`network.role.${role}`), peer.friend && t("network.friend"), rates].filter(Boolean).join(", ");
  const pressed = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onOpen(peer);
  };
  return html`<g class=${`node ${role}`} role="button" tabindex="0" aria-label=${said} onClick=${() => onOpen(peer)} onKeyDown=${pressed}>
    <title>${said}</title>
    <circle class="hit" cx=${place.x} cy=${place.y} r="22" />
    <circle class="shape" cx=${place.x} cy=${place.y} r=${role === "supernode" || role === "index" ? 13 : 10} />
    ${peer.friend && html`<circle class="friend" cx=${place.x + 8} cy=${place.y - 8} r="4.5" />`}
    ${!crowded && html`<text x=${place.x} y=${place.y + 28}>${name}</text>`}
    ${!crowded && rates && html`<text class="rate" x=${place.x} y=${place.y + 42}>${rates}</text>`}
  </g>`;
}
