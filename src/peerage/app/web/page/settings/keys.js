// Who else may use this node: keys with a role, each shown once, and the owner's password.

import { html, useEffect, useId, useState } from "../core/view.js";
import { get, post } from "../core/api.js";
import { date } from "../core/format.js";
import { attempt, reason, say } from "../core/toasts.js";
import { t } from "../core/words.js";
import { Icon } from "../parts/icons.js";
import { confirm, Dialog } from "../parts/dialog.js";
import { Badge, Button, copy, Field, Notice } from "../parts/parts.js";

const ROLES = ["user", "guest", "owner"];
const LEAST = 10; // characters of a password

export function Keys() {
  const [keys, setKeys] = useState(null);
  const [fault, setFault] = useState("");
  const [shown, setShown] = useState(""); // which window is open
  const read = async () => {
    try {
      setKeys(await get("keys"));
      setFault("");
    } catch (error) {
      setFault(reason(error));
    }
  };
  useEffect(() => {
    read();
  }, []);
  const takeBack = async (key) => {
    const wanted = await confirm({
      title: t("settings.remove-key", { name: key.name }),
      text: t("settings.remove-key-text"),
      action: t("remove"),
    });
    if (!wanted) return;
    await attempt(() => post("keys/remove", { key: key.id }), t("settings.key-removed", { name: key.name }));
    read();
  };
  const noPassword = async () => {
    const wanted = await confirm({
      title: t("settings.remove-password"),
      text: t("settings.remove-password-text"),
      action: t("remove"),
    });
    if (wanted) await attempt(() => post("keys/password", { password: "" }), t("settings.password-removed"));
  };
  return html`
    <dl class="facts">
      ${ROLES.map((role) => html`<dt>${t(`role.${role}`)}</dt><dd>${t(`role.${role}.about`)}</dd>`)}
    </dl>
    ${fault && html`<${Notice} kind="bad" icon="warn">${fault}</${Notice}>`}
    ${keys?.length > 0 &&
    html`<ul class="list" aria-label=${t("settings.keys")}>
      ${keys.map(
        (key) => html`<li key=${key.id} class="line">
          <span class="kind"><${Icon} name="key" /></span>
          <div class="grow"><div class="cut">${key.name}</div><div class="small quiet">${t("settings.key-made", { date: date(key.created) })}</div></div>
          <${Badge}>${t(`role.${key.role}`)}</${Badge}>
          <${Button} kind="plain" icon="trash" label=${t("settings.remove-key", { name: key.name })} act=${() => takeBack(key)} />
        </li>`,
      )}
    </ul>`}
    ${keys?.length === 0 && html`<p class="quiet">${t("settings.no-keys")}</p>`}
    <div class="row wrap">
      <${Button} icon="plus" act=${() => setShown("key")}>${t("settings.add-key")}</${Button}>
      <${Button} act=${() => setShown("password")}>${t("settings.set-password")}</${Button}>
      <${Button} kind="plain" act=${noPassword}>${t("settings.no-password")}</${Button}>
    </div>
    ${shown === "key" && html`<${NewKey} onMade=${read} onClose=${() => setShown("")} />`}
    ${shown === "password" && html`<${Password} onClose=${() => setShown("")} />`}
  `;
}

function NewKey({ onMade, onClose }) {
  const form = useId();
  const [name, setName] = useState("");
  const [role, setRole] = useState("user");
  const [fault, setFault] = useState("");
  const [made, setMade] = useState(null);
  const make = async (event) => {
    event.preventDefault();
    try {
      setMade(await post("keys", { name: name.trim(), role }));
      onMade();
    } catch (error) {
      setFault(reason(error));
    }
  };
  if (made) return html`<${Secret} made=${made} onClose=${onClose} />`;
  const input = (id, described) => html`<input id=${id} class="input" maxlength="64" required autofocus autocomplete="off" aria-describedby=${described} aria-invalid=${fault ? "true" : undefined} value=${name} onInput=${(event) => setName(event.currentTarget.value)} />`;
  const foot = html`
    <${Button} act=${onClose}>${t("cancel")}</${Button}>
    <${Button} kind="main" type="submit" form=${form} disabled=${!name.trim()}>${t("settings.make-key")}</${Button}>
  `;
  return html`<${Dialog} title=${t("settings.add-key")} onClose=${onClose} foot=${foot}>
    <form id=${form} class="stack" onSubmit=${make}>
      <${Field} label=${t("settings.key-name")} hint=${t("settings.key-name-hint")} fault=${fault} input=${input} />
      <fieldset class="stack tight">
        <legend class="label">${t("settings.role")}</legend>
        ${ROLES.map(
          (each) => html`<label class="choice">
            <input type="radio" name="role" checked=${each === role} onChange=${() => setRole(each)} />
            <span>${t(`role.${each}`)}<span class="quiet small">${t(`role.${each}.about`)}</span></span>
          </label>`,
        )}
      </fieldset>
    </form>
  </${Dialog}>`;
}

/** A key that was just made: the node keeps only a hash of it, so it is seen here and never again. */
function Secret({ made, onClose }) {
  const foot = html`
    <${Button} act=${onClose}>${t("settings.key-kept")}</${Button}>
    <${Button} kind="main" icon="copy" act=${() => copy(made.secret)}>${t("settings.copy-key")}</${Button}>
  `;
  return html`<${Dialog} title=${t("settings.key-of", { name: made.key.name })} onClose=${onClose} foot=${foot}>
    <div class="stack">
      <${Notice} kind="warn" icon="key">${t("settings.key-once")}</${Notice}>
      <code class="link-text">${made.secret}</code>
      <p>${t("settings.key-use")}</p>
    </div>
  </${Dialog}>`;
}

function Password({ onClose }) {
  const form = useId();
  const [first, setFirst] = useState("");
  const [again, setAgain] = useState("");
  const [fault, setFault] = useState("");
  const set = async (event) => {
    event.preventDefault();
    if (first.length < LEAST) return setFault(t("settings.password-short", { n: LEAST }));
    if (first !== again) return setFault(t("settings.password-differs"));
    try {
      await post("keys/password", { password: first });
      await post("login", { secret: first }); // a new password ends all sessions of the owner, this one, too
      say(t("settings.password-set"));
      onClose();
    } catch (error) {
      setFault(reason(error));
    }
    return undefined;
  };
  const input = (value, change, begins = false) => (id, described) => html`<input id=${id} class="input" type="password" autofocus=${begins} autocomplete="new-password" maxlength="200" required aria-describedby=${described} aria-invalid=${fault ? "true" : undefined} value=${value} onInput=${(event) => change(event.currentTarget.value)} />`;
  const foot = html`
    <${Button} act=${onClose}>${t("cancel")}</${Button}>
    <${Button} kind="main" type="submit" form=${form} disabled=${!first || !again}>${t("settings.set-password")}</${Button}>
  `;
  return html`<${Dialog} title=${t("settings.set-password")} onClose=${onClose} foot=${foot}>
    <form id=${form} class="stack" onSubmit=${set}>
      <p class="quiet">${t("settings.password-about")}</p>
      <${Field} label=${t("settings.password")} hint=${t("settings.password-hint", { n: LEAST })} input=${input(first, setFirst, true)} />
      <${Field} label=${t("settings.password-again")} fault=${fault} input=${input(again, setAgain)} />
    </form>
  </${Dialog}>`;
}
