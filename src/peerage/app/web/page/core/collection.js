// A list that the API gives once and then keeps up to date by events: items by key, and a number that says it changed.

import { signal } from "./view.js";

const PACE = 250; // milliseconds from one picture of a list to the next: a fast download changes a hundred times a second
const HIDDEN = 2000; // while nobody sees it

export class Collection {
  constructor(keyOf) {
    this.keyOf = keyOf;
    this.items = new Map();
    this.changed = signal(0); // read it to follow the list; it moves a few times a second, however much changes
    this.loaded = signal(false);
    this.waiting = false;
    this.told = 0;
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
    const rest = Math.max(0, (document.hidden ? HIDDEN : PACE) - (performance.now() - this.told));
    setTimeout(() => {
      this.waiting = false;
      this.told = performance.now();
      this.changed.value += 1;
    }, rest);
  }
}
