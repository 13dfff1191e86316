// What a search cost, and how that came about: who was asked, why, and what it brought.

import { html } from "../core/view.js";
import { count, size } from "../core/format.js";
import { knows, t } from "../core/words.js";
import { Dialog } from "../parts/dialog.js";

const seconds = (value) => (value === null ? "–" : `${value.toFixed(2)} s`);

export const Cost = ({ ended }) =>
  html`${t("search.cost", { seconds: ended.seconds.toFixed(1), messages: count(ended.messages), size: size(ended.bytes) })}`;

export function Explain({ ended, onClose }) {
  const name = (stage) => (knows(`search.stage.${stage.name}`) ? t(`search.stage.${stage.name}`) : stage.name);
  return html`<${Dialog} title=${t("search.explain.title")} onClose=${onClose} wide>
    <div class="stack">
      <p>${t("search.found", { n: count(ended.hits) })} <${Cost} ended=${ended} />. ${t(`search.reason.${ended.reason}`)}</p>
      <div class="scrolls" tabindex="0" role="region" aria-label=${t("search.explain.title")}>
        <table class="sheet stages">
          <thead><tr>
            ${["where", "peers", "hops", "messages", "bytes", "first", "found"].map((key) => html`<th scope="col">${t(`search.explain.${key}`)}</th>`)}
          </tr></thead>
          <tbody>
            ${ended.stages.map(
              (stage) => html`<tr class=${stage.asked ? "" : "quiet"}>
                <th scope="row">${name(stage)}<div class="small quiet">${stage.why}</div></th>
                <td class="number">${stage.asked ? count(stage.peers) : "–"}</td>
                <td class="number">${stage.asked ? stage.hops : "–"}</td>
                <td class="number">${stage.asked ? count(stage.messages) : "–"}</td>
                <td class="number">${stage.asked ? size(stage.bytes) : "–"}</td>
                <td class="number">${seconds(stage.first_hit)}</td>
                <td class="number">${count(stage.hits)}${stage.refused > 0 && html`<div class="small">${t("search.explain.refused", { n: stage.refused })}</div>`}</td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
    </div>
  </${Dialog}>`;
}
