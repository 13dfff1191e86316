// Which of the hits are shown, and in which order.

import { html, signal } from "../core/view.js";
import { count } from "../core/format.js";
import { t } from "../core/words.js";

const MB = 1_000_000;
const SIZES = { any: [0, Infinity], small: [0, 10 * MB], medium: [10 * MB, 200 * MB], large: [200 * MB, Infinity] };
const LENGTHS = { any: [0, Infinity], short: [0.01, 300], medium: [300, 1800], long: [1800, Infinity] };
const NOTHING = { type: "any", size: "any", length: "any", holders: 1, hidden: false };

export const filters = signal(NOTHING);
export const order = signal("best");

const SORTS = {
  name: (a, b) => a.name.localeCompare(b.name),
  size: (a, b) => b.size - a.size,
  holders: (a, b) => b.sources - a.sources,
  length: (a, b) => (b.meta?.duration ?? 0) - (a.meta?.duration ?? 0),
};

/** The hits that fit, in order; `ranking`: the numbers of the hits, the best first, once the search has ended. */
export function shown(hits, ranking) {
  const { type, size, length, holders, hidden } = filters.value;
  const within = ([low, high], value) => value >= low && value < high;
  const fit = hits.filter(
    (hit) =>
      (type === "any" || kindOf(hit) === type) &&
      within(SIZES[size], hit.size) &&
      (length === "any" || within(LENGTHS[length], hit.meta?.duration ?? 0)) &&
      hit.sources >= holders &&
      (hidden || hit.trust?.standing !== "hide"),
  );
  if (order.value !== "best") return fit.sort(SORTS[order.value]);
  if (!ranking) return fit;
  const places = new Map(ranking.map((number, at) => [number, at]));
  return fit.sort((a, b) => (places.get(a.number) ?? Infinity) - (places.get(b.number) ?? Infinity));
}

const KINDS = ["audio", "video", "image", "text", "document", "archive", "program", "folder"];
const kindOf = (hit) => (KINDS.includes(hit.type) ? hit.type : "other");

export const hiddenIn = (hits) => hits.filter((hit) => hit.trust?.standing === "hide").length;

export function Filters({ hits }) {
  const set = (change) => {
    filters.value = { ...filters.value, ...change };
  };
  const now = filters.value;
  const kinds = new Map();
  for (const hit of hits) kinds.set(kindOf(hit), (kinds.get(kindOf(hit)) ?? 0) + 1);
  const bad = hiddenIn(hits);
  return html`<div class="filters row wrap">
    <div class="row wrap chips" role="group" aria-label=${t("search.type")}>
      <${Chip} on=${now.type === "any"} act=${() => set({ type: "any" })}>${t("search.all")} <span class="number">${count(hits.length)}</span></${Chip}>
      ${[...KINDS, "other"]
        .filter((kind) => kinds.has(kind) || now.type === kind)
        .map(
          (kind) => html`<${Chip} on=${now.type === kind} act=${() => set({ type: now.type === kind ? "any" : kind })}>
            ${t(`type.${kind}`)} <span class="number">${count(kinds.get(kind) ?? 0)}</span>
          </${Chip}>`,
        )}
    </div>
    <div class="row wrap">
      <${Choice} label=${t("search.size")} value=${now.size} options=${Object.keys(SIZES)} words="search.size" onChange=${(size) => set({ size })} />
      <${Choice} label=${t("search.length")} value=${now.length} options=${Object.keys(LENGTHS)} words="search.length" onChange=${(length) => set({ length })} />
      <${Choice} label=${t("search.holders")} value=${String(now.holders)} options=${["1", "2", "5", "10"]} words="search.holders" onChange=${(least) => set({ holders: Number(least) })} />
      <${Choice} label=${t("search.sort")} value=${order.value} options=${["best", ...Object.keys(SORTS)]} words="search.sort" onChange=${(wanted) => (order.value = wanted)} />
      ${bad > 0 &&
      html`<label class="check small"><input type="checkbox" checked=${now.hidden} onChange=${(event) => set({ hidden: event.currentTarget.checked })} />
        ${t("search.show-hidden", { n: bad })}</label>`}
    </div>
  </div>`;
}

const Chip = ({ on, act, children }) =>
  html`<button type="button" class="chip" aria-pressed=${on ? "true" : "false"} onClick=${act}>${children}</button>`;

const Choice = ({ label, value, options, words, onChange }) => html`<select
  class="input short"
  aria-label=${label}
  value=${value}
  onChange=${(event) => onChange(event.currentTarget.value)}
>
  ${options.map((option) => html`<option value=${option} selected=${option === value}>${t(`${words}.${option}`)}</option>`)}
</select>`;
