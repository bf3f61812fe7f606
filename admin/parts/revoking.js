// Revoking and taking back, from whichever view.

import * as api from "../api.js";
import { moment } from "../format.js";
import { t } from "../language.js";
import { confirm } from "./dialog.js";

const KINDS = ["machine", "jti", "issued_before"];

/** What a revocation is of: `{ kind, value }`. */
export function target(revocation) {
  const kind = KINDS.find((name) => typeof revocation[name] === "string") ?? "machine";
  return { kind, value: revocation[kind] ?? "" };
}

/** It in words. */
export function named({ kind, value }) {
  return t(`what.${kind}`, { value: kind === "issued_before" ? moment(value) : value });
}

/** Asks, and revokes. Resolves to what to tell, or `undefined`. */
export async function revoke({ kind, value }) {
  const what = named({ kind, value });
  const done = await confirm({
    title: t("revoke.title", { what }),
    text: t(`revoke.${kind}.text`),
    confirmWord: t("revoke.confirm"),
    isDangerous: true,
    wantsReason: true,
    run: (reason) => api.revoke({ [kind]: value, reason }),
  });
  return done && t(done.changed === false ? "unchanged" : "revoke.done", { what });
}

/** Asks, and takes a revocation back. Resolves to what to tell, or `undefined`. */
export async function takeBack({ kind, value }, { at, by, reason }) {
  const what = named({ kind, value });
  const done = await confirm({
    title: t("restore.title", { what }),
    text: t("restore.text"),
    facts: [t("restore.reason", { time: moment(at), by, reason })],
    confirmWord: t("restore.confirm"),
    run: () => api.takeBack({ [kind]: value }),
  });
  return done && t(done.changed === false ? "unchanged" : "restore.done", { what });
}
