// Keys that work everywhere: "mod+k" is Ctrl-K, on a Mac Command-K.

const bound = new Map();

export function bind(name, action) {
  bound.set(name, action);
  return () => bound.delete(name);
}

const types = (element) => element.closest?.("input, textarea, select, [contenteditable]") !== null;

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.altKey) return;
  const mod = event.ctrlKey || event.metaKey;
  if (!mod && (types(event.target) || document.querySelector("dialog[open]"))) return;
  const action = bound.get(`${mod ? "mod+" : ""}${event.key.toLowerCase()}`);
  if (!action) return;
  event.preventDefault();
  action(event);
});
