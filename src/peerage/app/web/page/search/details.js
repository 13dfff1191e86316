// All that is known of one hit: what it is, who holds it, why it is trusted or not; and what the user thinks of it.

import { html, useState } from "../core/view.js";
import { post } from "../core/api.js";
import { clock, short, size } from "../core/format.js";
import { download, targetOf } from "../core/getting.js";
import { go } from "../core/route.js";
import { may } from "../core/store.js";
import { attempt } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";
import { Button, copyLink } from "../parts/parts.js";
import { Standing } from "./hits.js";

const OPINIONS = ["good", "fake", "malware"];

export function Details({ hit, onClose }) {
  const get = async () => {
    if (await download(targetOf(hit))) onClose();
  };
  const foot = html`
    ${!hit.unverified && html`<${Button} icon="copy" act=${() => copyLink(hit.link)}>${t("link.copy")}</${Button}>`}
    ${may("download") && !hit.mine && html`<${Button} kind="main" icon="down" act=${get}>${t("search.download")}</${Button}>`}
  `;
  return html`<${Dialog} title=${hit.name} onClose=${onClose} foot=${foot} wide>
    <div class="stack">
      <${Facts} hit=${hit} />
      <section class="stack tight"><h3>${t("search.why")}</h3><${Why} hit=${hit} /></section>
      ${hit.holders.length > 0 && html`<section class="stack tight"><h3>${t("search.holders-title")}</h3><${Holders} hit=${hit} onClose=${onClose} /></section>`}
      ${may("share") && !hit.unverified && html`<section class="stack tight"><h3>${t("search.vote")}</h3><${Vote} hit=${hit} /></section>`}
    </div>
  </${Dialog}>`;
}

function Facts({ hit }) {
  const { title, artist, album, duration, bitrate } = hit.meta ?? {};
  const rows = [
    ["search.fact.size", hit.unverified ? "" : size(hit.size)],
    ["search.fact.kind", hit.mime],
    ["search.fact.title", title],
    ["search.fact.artist", artist],
    ["search.fact.album", album],
    ["search.fact.length", duration ? clock(duration) : ""],
    ["search.fact.bitrate", bitrate ? `${Math.round(bitrate / 1000)} kbit/s` : ""],
    ["search.fact.path", hit.path],
    ["search.fact.id", hit.unverified ? "" : hit.content_id],
  ].filter(([, value]) => value);
  return html`<dl class="facts">
    ${rows.map(([key, value]) => html`<dt>${t(key)}</dt><dd class=${key === "search.fact.id" ? "mono" : ""}>${value}</dd>`)}
  </dl>`;
}

function Why({ hit }) {
  if (hit.unverified) return html`<p>${t("search.why.unverified")}</p>`;
  const { trust } = hit;
  return html`<div class="row"><${Standing} hit=${hit} /></div>
    <ul class="bullets">
      <li>${t("search.why.signed", { n: hit.sources })}</li>
      ${trust?.proved === true && html`<li>${t("search.why.proved")}</li>`}
      ${trust?.proved === false && html`<li>${t("search.why.unproved")}</li>`}
      ${trust && trust.votes_for + trust.votes_against > 0
        ? html`<li>${t("search.why.votes", { good: trust.votes_for, bad: trust.votes_against })}</li>`
        : html`<li>${t("search.why.no-votes")}</li>`}
      ${trust?.why.map((phrase) => html`<li>${phrase}</li>`)}
    </ul>`;
}

function Holders({ hit, onClose }) {
  const browse = (holder) => {
    onClose();
    go("network", { browse: holder.peer_id });
  };
  return html`<ul class="list">
    ${hit.holders.map(
      (holder) => html`<li class="line">
        <div class="grow"><div class="cut"><code>${short(holder.peer_id)}</code> ${holder.name !== hit.name ? holder.name : ""}</div>
          <div class="small quiet cut">${holder.addresses.join(", ")}</div></div>
        <${Button} kind="plain" icon="eye" act=${() => browse(holder)}>${t("search.browse")}</${Button}>
      </li>`,
    )}
  </ul>`;
}

function Vote({ hit }) {
  const [own, setOwn] = useState(hit.trust?.own ?? "");
  const vote = (opinion) => async () => {
    const cast = await attempt(() => post("votes", { target: hit.content_id, opinion }), t("search.voted"));
    if (cast) setOwn(opinion);
  };
  return html`<p class="small quiet">${t("search.vote.text")}</p>
    <div class="row wrap">
      ${OPINIONS.map(
        (opinion) => html`<${Button} act=${vote(opinion)} aria-pressed=${own === opinion ? "true" : "false"} icon=${own === opinion ? "check" : undefined}>
          ${t(`search.opinion.${opinion}`)}
        </${Button}>`,
      )}
    </div>`;
}
