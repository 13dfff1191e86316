// The view "home": what happens now, how well connected this node is and what to do about it, and the first steps.

import { html } from "../core/view.js";
import { size } from "../core/format.js";
import { to } from "../core/route.js";
import { notices, shares, statistics, transfers } from "../core/store.js";
import { t } from "../core/words.js";
import { SpeedChart } from "../parts/chart.js";
import { Icon } from "../parts/icons.js";
import { Bar, Notice, ViewHead } from "../parts/parts.js";
import { UNDER_WAY } from "../transfers/acts.js";
import { words } from "../transfers/list.js";
import { Doctor } from "./doctor.js";
import { FirstSteps } from "./first_steps.js";

const MOST = 6;

export function Home() {
  return html`
    <${ViewHead} title=${t("view.home")} />
    <div class="stack">
      ${notices.value.map((notice) => html`<${Notice} key=${notice} kind="warn" icon="warn">${notice}</${Notice}>`)}
      <${FirstSteps} />
      <div class="home-grid">
        <section class="card home-chart"><h2>${t("home.now")}</h2><${SpeedChart} /><${Totals} /></section>
        <${Doctor} />
        <${Running} />
      </div>
    </div>
  `;
}

function Totals() {
  const { down, up, peers, uploads } = statistics.value;
  const facts = [
    [t("home.peers"), peers, "network"],
    [t("home.down"), size(down), "transfers"],
    [t("home.up"), size(up), "library"],
    [t("home.uploads"), uploads, "library"],
    [t("home.shares"), shares.size, "library"],
  ];
  return html`<ul class="totals">
    ${facts.map(([label, value, view]) => html`<li><a href=${to(view)}><strong class="number">${value}</strong><span class="small quiet">${label}</span></a></li>`)}
  </ul>`;
}

function Running() {
  const running = transfers.all().filter(({ state }) => UNDER_WAY.includes(state));
  running.sort((a, b) => b.rate_down - a.rate_down);
  return html`<section class="card home-running">
    <h2>${t("home.running")}</h2>
    ${running.length === 0
      ? html`<p class="quiet">${t("home.nothing-runs")}</p>`
      : html`<ul class="stack">
          ${running.slice(0, MOST).map(
            (transfer) => html`<li key=${transfer.content_id}>
              <a class="running" href=${to("transfers", { show: transfer.content_id })}>
                <span class="row"><${Icon} name=${transfer.kind === "folder" ? "folder" : "file"} /><span class="cut grow">${transfer.name}</span></span>
                <${Bar} done=${transfer.done} of=${transfer.wanted ?? 0} label=${t("transfers.progress", { name: transfer.name })} />
                <span class="small quiet">${words(transfer)}</span>
              </a>
            </li>`,
          )}
        </ul>`}
    ${running.length > MOST && html`<p><a href=${to("transfers", { group: "active" })}>${t("home.more", { n: running.length - MOST })}</a></p>`}
  </section>`;
}
