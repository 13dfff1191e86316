// A list that the API gives once and then keeps up to date by events: items by key, and a number that says it changed.

import { signal } from "./view.js";

export class Collection {
  constructor(keyOf) {
    this.keyOf = keyOf;
    this.items = new Map();
    this.changed = signal(0); // read it to follow the list; it moves once for all changes between two pictures
    this.loaded = signal(false);
    this.waiting = false;
  }

  /** All items; whoever renders with it is drawn again when the list changes. */
  all() {
    void this.changed.value;
    return [...this.items.values()];
  }

  get size() {
    void this.changed.value;
    return this.items.size;
  }

  of(key) {
    void this.changed.value;
    return this.items.get(key);
  }

  fill(list) {
    this.items = new Map(list.map((item) => [this.keyOf(item), item]));
    this.loaded.value = true;
    this.tell();
  }

  put(item) {
    this.items.set(this.keyOf(item), item);
    this.tell();
  }

  drop(key) {
    if (this.items.delete(key)) this.tell();
  }

  tell() {
    if (this.waiting) return;
    this.waiting = true;
    later(() => {
      this.waiting = false;
      this.changed.value += 1;
    });
  }
}

/** Once before the next picture; in a page nobody sees there are none, so after a while instead. */
function later(callback) {
  if (document.hidden) setTimeout(callback, 500);
  else requestAnimationFrame(callback);
}
