// The hits of a search, a line each.

import { html } from "../core/view.js";
import { clock, count, size } from "../core/format.js";
import { download, targetOf } from "../core/getting.js";
import { may, transfers } from "../core/store.js";
import { t } from "../core/words.js";
import { TypeIcon } from "../parts/icons.js";
import { Badge, Button } from "../parts/parts.js";
import { shownAs } from "../parts/player.js";
import { Rows } from "../parts/rows.js";
import { choose, chosen } from "./state.js";

/** `onDetails(hit)` and `onPreview(hit)` show more of one. */
export function Hits({ hits, onDetails, onPreview }) {
  const line = (hit) => html`<${Line} hit=${hit} onDetails=${onDetails} onPreview=${onPreview} />`;
  const lineClass = (hit) => (chosen.value.has(hit.number) ? "chosen" : "");
  return html`<${Rows} items=${hits} keyOf=${(hit) => hit.number} line=${line} lineClass=${lineClass} onOpen=${onDetails} label=${t("search.results")} />`;
}

function Line({ hit, onDetails, onPreview }) {
  const transfer = transfers.of(hit.content_id);
  const here = hit.mine || transfer?.state === "done";
  const picked = (event) => choose(hit.number, event.currentTarget.checked);
  return html`
    <input type="checkbox" tabindex="-1" aria-label=${t("search.choose", { name: hit.name })} checked=${chosen.value.has(hit.number)} onChange=${picked} />
    <span class="type-icon"><${TypeIcon} type=${hit.type} /></span>
    <div class="grow">
      <button type="button" class="name cut" tabindex="-1" onClick=${() => onDetails(hit)}>${hit.name}</button>
      <div class="small quiet cut">${about(hit)}</div>
    </div>
    <span class="hit-trust"><${Standing} hit=${hit} /></span>
    <span class="number small hit-holders" title=${t("search.held", { n: hit.sources })}>${t("search.held", { n: hit.sources })}</span>
    <span class="number hit-size">${hit.unverified ? "–" : size(hit.size)}</span>
    <span class="row hit-acts">
      ${shownAs(hit.mime) && (here || may("download"))
        ? html`<${Button} kind="plain" icon="play" label=${t("search.preview", { name: hit.name })} act=${() => onPreview(hit)} />`
        : html`<span class="no-button"></span>`}
      ${here || transfer
        ? html`<${Badge} kind="good" icon="check">${t(here ? "search.here" : "search.coming")}</${Badge}>`
        : may("download") &&
          html`<${Button} kind="plain" icon="down" label=${t("search.get", { name: hit.name })} act=${() => download(targetOf(hit))} />`}
    </span>
  `;
}

/** What a file says of itself, and where it lies at its holder. */
function about(hit) {
  const { title = "", artist = "", duration = 0, bitrate = 0 } = hit.meta ?? {};
  return [
    [artist, title].filter(Boolean).join(" – "),
    duration > 0 && clock(duration),
    bitrate > 0 && `${count(Math.round(bitrate / 1000))} kbit/s`,
    hit.path,
  ]
    .filter(Boolean)
    .join(" · ");
}

/** How far a hit is to be trusted, in a word. */
export function Standing({ hit }) {
  if (hit.unverified) return html`<${Badge} kind="warn" icon="warn">${t("search.unverified")}</${Badge}>`;
  const { trust } = hit;
  if (trust?.standing === "hide") return html`<${Badge} kind="bad" icon="ban">${t(trust.malware ? "search.malware" : "search.fake")}</${Badge}>`;
  if (trust?.standing === "warn") return html`<${Badge} kind="warn" icon="warn">${t("search.doubtful")}</${Badge}>`;
  if (trust && trust.score > 0.2) return html`<${Badge} kind="good" icon="check">${t("search.trusted")}</${Badge}>`;
  if (trust?.proved) return html`<${Badge} icon="shield">${t("search.proved")}</${Badge}>`;
  return null;
}
