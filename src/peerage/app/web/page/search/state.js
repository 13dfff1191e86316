// The search that is shown: it goes on, and stays, while one looks at other views.

import { batch, computed, signal } from "../core/view.js";
import { lines } from "../core/api.js";

export const text = signal(""); // what was searched for
export const hits = signal([]); // in the order in which they came; a hit that changed keeps its place
export const running = signal(false);
export const ended = signal(null); // what it cost
export const problem = signal(null); // an ApiError
export const chosen = signal(new Set()); // numbers of hits

let stop = null;
let places = new Map(); // number of a hit -> its place in the list

export const chosenHits = computed(() => hits.value.filter((hit) => chosen.value.has(hit.number)));

/** Search, instead of what was searched for before. */
export async function search(wanted) {
  stop?.abort();
  const mine = (stop = new AbortController());
  places = new Map();
  batch(() => {
    text.value = wanted;
    hits.value = [];
    running.value = true;
    ended.value = problem.value = null;
    chosen.value = new Set();
  });
  try {
    await follow(wanted, mine.signal);
  } catch (error) {
    if (mine === stop && error.name !== "AbortError") problem.value = error;
  } finally {
    if (mine === stop) running.value = false;
  }
}

export function stopSearch() {
  stop?.abort();
}

export function choose(number, wanted) {
  const next = new Set(chosen.value);
  if (wanted) next.add(number);
  else next.delete(number);
  chosen.value = next;
}

/** Take the events as they come, and show them once a picture: there may be hundreds a second. */
async function follow(wanted, signal) {
  let fresh = [];
  const show = () => {
    const list = [...hits.value];
    for (const hit of fresh) {
      if (!places.has(hit.number)) places.set(hit.number, list.length);
      list[places.get(hit.number)] = hit;
    }
    fresh = [];
    if (!signal.aborted) hits.value = list;
  };
  for await (const event of lines("search", { query: { q: wanted, limit: 1000 }, signal })) {
    if (event.event === "hit") {
      if (!fresh.length) requestAnimationFrame(show);
      fresh.push(event.hit);
    } else if (event.event === "end") {
      show();
      ended.value = event;
    }
  }
}
