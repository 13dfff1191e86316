// The settings as the node has them, and what was changed here and not saved yet, which stays when the view is left.

import { batch, signal } from "../core/view.js";
import { get, patch } from "../core/api.js";
import { reason, say } from "../core/toasts.js";
import { knows, t } from "../core/words.js";

export const entries = signal(null); // of the API; null until they were read
export const trouble = signal(""); // why they could not be read
const drafts = signal(new Map()); // by name: the value that was put in
const faults = signal(new Map()); // by name, or by section where no setting is named: {text, typed: before it was sent}

export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

export async function read() {
  try {
    entries.value = await get("settings");
    trouble.value = "";
  } catch (error) {
    trouble.value = reason(error);
  }
}

/** The value as it is shown: what was put in, or what the node has. */
export const valueOf = (entry) => (drafts.value.has(entry.name) ? drafts.value.get(entry.name) : entry.value);

export const faultOf = (name) => faults.value.get(name)?.text ?? "";

/** Whether what was typed cannot be a value; what the node refused may be good the next time. */
export const cannotBe = (name) => faults.value.get(name)?.typed ?? false;

export const isChanged = ({ name }) => drafts.value.has(name);

/** Put a value in; `fault` says why it cannot be one, if so. */
export function put(entry, value, fault = "") {
  const next = new Map(drafts.value);
  if (same(value, entry.value) && !fault) next.delete(entry.name);
  else next.set(entry.name, value);
  const wrong = new Map(faults.value);
  wrong.delete(entry.name);
  if (fault) wrong.set(entry.name, { text: fault, typed: true });
  batch(() => {
    drafts.value = next;
    faults.value = wrong;
  });
}

/** Forget what was changed and not saved. */
export function undo(section, names) {
  const without = (kept) => new Map([...kept].filter(([name]) => name !== section && !names.includes(name)));
  batch(() => {
    drafts.value = without(drafts.value);
    faults.value = without(faults.value);
  });
}

/** Save what was changed in a section, all or none; gives whether that was done. */
export async function save(section, names) {
  const changes = names.filter((name) => drafts.value.has(name)).map((name) => ({ name, value: drafts.value.get(name) }));
  try {
    const saved = await patch("settings", { changes });
    batch(() => {
      entries.value = saved;
      undo(section, names);
    });
    const waits = saved.some(({ name, restart }) => restart && changes.some((change) => change.name === name));
    say(t(waits ? "settings.saved-waits" : "settings.saved"));
    return true;
  } catch (error) {
    const text = reason(error);
    faults.value = new Map(faults.value).set(blamed(text, changes) ?? section, { text: plain(text), typed: false });
    return false;
  }
}

/** Which of the changed settings a sentence of the node is about: one that it names, or whose value it quotes. */
function blamed(text, changes) {
  const keyOf = (name) => name.slice(name.lastIndexOf(".") + 1);
  const said = /(?:^|[\s:])(\w+)(?: = \.\.\. is not right|: )/.exec(text)?.[1];
  const values = (value) => [value].flat().filter((each) => typeof each === "string" && each);
  const named =
    changes.find(({ name }) => keyOf(name) === said) ??
    changes.find(({ value }) => values(value).some((each) => text.includes(each))) ??
    changes.find(({ name }) => text.includes(keyOf(name)));
  return (named ?? (changes.length === 1 ? changes[0] : undefined))?.name;
}

/** Without the place in the file, which whoever reads a page has not written. */
const plain = (text) => text.replace(/^\S*config\.toml(, line \d+)?: /, "").replace(/^\w+ = \.\.\. is not right: /, "");

/** What a setting is called. */
export const labelOf = (name) => (knows(`setting.${name}`) ? t(`setting.${name}`) : name);

addEventListener("beforeunload", (event) => {
  if (drafts.value.size) event.preventDefault();
});
