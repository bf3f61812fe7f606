// One machine: how it stands, its latest requests, and its credentials out of use or back.

import { fragment } from "../address.js";
import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { ago, count, money, moment, NOTHING } from "../format.js";
import { t } from "../language.js";
import { records } from "../parts/records.js";
import { revoke, takeBack } from "../parts/revoking.js";

const LATEST = 20;

/** The view; the machine is in `parameters`. */
export function machine({ changed }, parameters) {
  const id = parameters.get("id") ?? "";
  const standing = h("div", { class: "stack" });
  const log = records({ caption: t("machine.log"), isOfOneMachine: true });
  const none = h("p", { class: "empty", hidden: true }, t("log.empty"));
  const node = h(
    "div",
    { class: "view" },
    h("p", { class: "back" }, h("a", { href: "#machines" }, "← ", t("machine.back"))),
    h("h1", { tabindex: "-1", class: "name" }, t("machine.title", { id })),
    h("div", { class: "card" }, standing),
    h(
      "section",
      { class: "card", "aria-labelledby": "latest-title" },
      h("h2", { id: "latest-title" }, t("machine.log")),
      log.node,
      none,
      h("p", {}, h("a", { href: fragment("log", { machine: id }) }, t("machine.log.all"))),
    ),
  );
  let isRead = false;

  async function found() {
    try {
      return await api.machine(id);
    } catch (failure) {
      if (failure.kind !== "not-found") throw failure;
      // Revocations outlive the memory of who called.
      const { revocations } = await api.revocations();
      return { isUnseen: true, revoked: revocations.find((one) => one.machine === id) ?? null };
    }
  }

  function show({ isUnseen, plan, requests, spent_usd: spent, in_flight: open, seen_at: seen, revoked }) {
    const fact = (label, ...value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
    const target = { kind: "machine", value: id };
    const act = async (done) => {
      const told = await done;
      if (told !== undefined) changed(told);
    };
    const button = revoked
      ? h(
          "button",
          { type: "button", "data-key": "revocation", on: { click: () => act(takeBack(target, revoked)) } },
          t("restore.button"),
        )
      : h(
          "button",
          { type: "button", "data-key": "revocation", class: "danger", on: { click: () => act(revoke(target)) } },
          t("machine.revoke"),
        );
    replace(
      standing,
      isUnseen && h("p", {}, t("machine.unseen")),
      h(
        "dl",
        { class: "facts" },
        !isUnseen && [
          fact(t("column.plan"), plan),
          fact(t("machine.requests"), count(requests)),
          fact(t("machine.spent"), h("span", { title: `$${spent}` }, money(spent))),
          fact(t("column.inflight"), count(open)),
          fact(
            t("column.seen"),
            seen ? h("time", { datetime: seen, title: moment(seen) }, `${ago(seen)} (${moment(seen)})`) : NOTHING,
          ),
        ],
        fact(
          t("machine.state"),
          revoked
            ? h(
                "span",
                { class: "pill is-off" },
                t("machine.revoked", { time: moment(revoked.at), by: revoked.by, reason: revoked.reason }),
              )
            : h("span", { class: "pill is-on" }, t("machine.inuse")),
        ),
      ),
      h("div", { class: "buttons" }, button),
    );
  }

  return {
    node,
    async load({ isByItself } = {}) {
      const reading = [found().then(show)];
      // Reading the log costs of an allowance, so nobody's clock does it.
      if (!isByItself || !isRead) {
        reading.push(
          api.logs({ machine: id, limit: LATEST }).then(({ records: latest }) => {
            isRead = true;
            log.show(latest);
            log.node.hidden = latest.length === 0;
            none.hidden = latest.length > 0;
          }),
        );
      }
      await settled(reading);
    },
  };
}

// Waits for all, so that one that fails does not keep the other from being shown.
async function settled(reading) {
  const failed = (await Promise.allSettled(reading)).find(({ status }) => status === "rejected");
  if (failed) throw failed.reason;
}
