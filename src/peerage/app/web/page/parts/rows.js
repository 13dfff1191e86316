// A list of any length that draws the lines in sight only; all lines have the same height, which CSS states (--row).
// It scrolls with the page, or by itself when it is given a height. One line can be reached with Tab; arrows, Page Up
// and Down, Home and End move from line to line.

import { html, useLayoutEffect, useRef, useState } from "../core/view.js";

const BEYOND = 10; // lines drawn above and below those in sight, at least
const STEP = 8; // lines by which what is drawn moves on, so that not every picture of a scroll draws anew

/**
 * `items`, `keyOf(item)`, `line(item, at)` -> what stands in a line; `onOpen(item)` for Enter; `label` for readers.
 * `lineClass(item)` adds classes; `high`: the height of a list that scrolls by itself.
 */
export function Rows({ items, keyOf, line, label, onOpen, lineClass = () => "", high = "" }) {
  const box = useRef(null);
  const [sight, setSight] = useState({ first: 0, last: 40 });
  const [at, setAt] = useState(0); // the line that Tab reaches
  const goal = useRef(-1); // the line that is to have the focus as soon as it is drawn

  useLayoutEffect(() => {
    let waiting = 0;
    const measure = () => {
      waiting = 0;
      const found = box.current && inSight(box.current, high);
      if (found) setSight((before) => (before.first === found.first && before.last === found.last ? before : found));
    };
    const soon = () => {
      waiting ||= requestAnimationFrame(measure);
    };
    const scroller = high ? box.current : window;
    scroller.addEventListener("scroll", soon, { passive: true });
    const watch = new ResizeObserver(soon);
    watch.observe(document.body);
    watch.observe(box.current);
    measure();
    return () => {
      scroller.removeEventListener("scroll", soon);
      watch.disconnect();
      cancelAnimationFrame(waiting);
    };
  }, [high]);

  const here = Math.min(at, Math.max(0, items.length - 1));
  useLayoutEffect(() => {
    const next = goal.current >= 0 && box.current.querySelector(`[data-at="${goal.current}"]`);
    if (!next) return;
    goal.current = -1;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  });

  const move = (to) => {
    const next = Math.max(0, Math.min(items.length - 1, to));
    goal.current = next;
    setAt(next);
    setSight(({ first, last }) => {
      if (next >= first && next < last) return { first, last };
      return { first: next - BEYOND, last: next + (last - first) };
    });
  };

  const pressed = (event) => {
    if (!event.target.matches?.(".line")) return; // a button in a line has keys of its own
    const page = Math.max(1, sight.last - sight.first - 2 * BEYOND - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      event.preventDefault();
      move((goal.current >= 0 ? goal.current : here) + steps[event.key]);
    } else if (event.key === "Enter" && onOpen && items[here]) {
      event.preventDefault();
      onOpen(items[here]);
    }
  };

  const lines = [];
  for (let number = Math.max(0, sight.first); number < Math.min(items.length, sight.last); number += 1) {
    const item = items[number];
    lines.push(html`<div
      key=${keyOf(item)}
      class=${`line ${lineClass(item)}`}
      role="listitem"
      data-at=${number}
      aria-setsize=${items.length}
      aria-posinset=${number + 1}
      tabindex=${number === here ? 0 : -1}
      style=${{ top: `calc(var(--row) * ${number})` }}
      onFocus=${(event) => event.target === event.currentTarget && setAt(number)}
      onDblClick=${onOpen && ((event) => event.target.closest("button, input, a") || onOpen(item))}
    >${line(item, number)}</div>`);
  }
  const height = `calc(var(--row) * ${items.length})`;
  return html`<div
    ref=${box}
    class=${`rows ${high ? "scrolls-itself" : ""}`}
    role="list"
    aria-label=${label}
    style=${high ? { height: `min(${height} + 2px, ${high})` } : {}}
    onKeyDown=${pressed}
  ><div class="run" role="presentation" style=${{ height }}>${lines}</div></div>`;
}

/** Which lines are in sight, by number, with some beyond. */
function inSight(box, high) {
  const row = rowHeight(box);
  const top = high ? box.scrollTop : -box.getBoundingClientRect().top;
  const height = high ? box.clientHeight : innerHeight;
  const first = Math.floor(top / row / STEP) * STEP - BEYOND;
  return { first, last: first + (Math.ceil(height / row / STEP) + 1) * STEP + 2 * BEYOND };
}

const rowHeight = (box) =>
  parseFloat(getComputedStyle(box).getPropertyValue("--row")) * parseFloat(getComputedStyle(document.documentElement).fontSize);
