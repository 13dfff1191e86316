// All that the page knows of its node: read from the API when the stream of events begins, kept true by what comes.

import { batch, computed, signal } from "./view.js";
import { get } from "./api.js";
import { Collection } from "./collection.js";

const HISTORY = 180; // seconds of speed that the chart shows

export const me = signal(null); // {name, role, permissions}; null while nobody is signed in
export const status = signal(null);
export const connection = signal("connecting"); // connecting, live, lost
export const statistics = signal({ rate_down: 0, rate_up: 0, down: 0, up: 0, peers: 0, transfers: 0, uploads: 0 });
export const history = signal([]); // of statistics, the newest last
export const notices = signal([]);

export const transfers = new Collection((transfer) => transfer.content_id);
export const peers = new Collection((peer) => peer.peer_id);
export const shares = new Collection((share) => share.path);
export const wishes = new Collection((wish) => wish.id);

export const newFinds = computed(() => wishes.all().reduce((sum, wish) => sum + wish.new, 0));

/** Whether whoever is signed in may do something: view, search, download, share, administer. */
export const may = (permission) => me.value?.permissions.includes(permission) ?? false;

const LISTS = { transfers, peers, shares, wishes };

/** Read everything; what a view needs besides, it reads itself. */
export async function load() {
  const names = Object.keys(LISTS);
  const [now, ...lists] = await Promise.all([get("status"), ...names.map((name) => get(name))]);
  batch(() => {
    status.value = now;
    notices.value = now.notices;
    names.forEach((name, at) => LISTS[name].fill(lists[at]));
  });
}

/** Read one list or the status again, after something was done that no event tells of. */
export async function refresh(name) {
  if (name === "status") status.value = await get("status");
  else LISTS[name].fill(await get(name));
}

const TAKERS = {
  transfer: (event) => transfers.put(event.transfer),
  gone: (event) => transfers.drop(event.content_id),
  peer: (event) => peers.put(event.peer),
  share: (event) => shares.put(event.share),
  "share-gone": (event) => shares.drop(event.path),
  wish: (event) => wishes.put(event.wish),
  "wish-gone": (event) => wishes.drop(event.id),
  notices: (event) => {
    notices.value = event.notices;
  },
  statistics: (event) => {
    statistics.value = event;
    history.value = [...history.value.slice(1 - HISTORY), event];
  },
};

export const EVENTS = Object.keys(TAKERS);

/** Apply one event of the stream. */
export function take(event) {
  TAKERS[event.event]?.(event);
}
