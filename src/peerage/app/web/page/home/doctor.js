// How the node is, in words, and what to do about it; the same as `peerage doctor`.

import { html, useEffect, useRef, useState } from "../core/view.js";
import { size } from "../core/format.js";
import { usePoll } from "../core/poll.js";
import { route } from "../core/route.js";
import { checked, t } from "../core/words.js";
import { Badge } from "../parts/parts.js";

const RANK = { bad: 0, warn: 1, unknown: 2, good: 3 };
const EVERY = 20; // seconds

export function Doctor() {
  const [all, setAll] = useState(false);
  const card = useRef(null);
  const checks = usePoll("doctor", { seconds: EVERY });
  const asked = route.value.query.at === "doctor";
  useEffect(() => {
    if (!asked || !checks) return;
    setAll(true);
    card.current.scrollIntoView({ block: "start" });
    card.current.querySelector("h2").focus();
  }, [asked, checks !== null]);
  const sorted = [...(checks ?? [])].sort((a, b) => RANK[a.state] - RANK[b.state]);
  const wanting = sorted.filter(({ state }) => state === "bad" || state === "warn");
  const shown = all ? sorted : wanting;
  return html`<section class="card home-doctor" ref=${card}>
    <div class="row spread"><h2 tabindex="-1">${t("doctor.title")}</h2>${checks && html`<${Overall} wanting=${wanting} />`}</div>
    ${checks === null
      ? html`<p class="quiet">${t("loading")}</p>`
      : html`<ul class="checks">${shown.map((check) => html`<${Check} key=${check.code + check.name} check=${check} />`)}</ul>
          ${!wanting.length && !all && html`<p class="quiet">${t("doctor.well")}</p>`}
          <button type="button" class="button plain" aria-expanded=${all ? "true" : "false"} onClick=${() => setAll(!all)}>
            ${all ? t("doctor.less") : t("doctor.all", { n: sorted.length })}
          </button>`}
  </section>`;
}

function Overall({ wanting }) {
  const bad = wanting.some(({ state }) => state === "bad");
  if (!wanting.length) return html`<${Badge} kind="good" icon="check">${t("doctor.good")}</${Badge}>`;
  return html`<${Badge} kind=${bad ? "bad" : "warn"} icon="warn">${t("doctor.wanting", { n: wanting.length })}</${Badge}>`;
}

function Check({ check }) {
  const { state, code, says, remedy, values } = check;
  return html`<li class="check-line">
    <span class=${`dot ${state}`}></span>
    <div class="grow">
      <span class="spoken">${t(`doctor.state.${state}`)}: </span>${checked(code, says, values, size)}
      ${remedy && html`<p class="small quiet">${checked(`${code}.do`, remedy, values, size)}</p>`}
    </div>
  </li>`;
}
