// The kill switch: how it stands, and the way to turn it.

import * as api from "../api.js";
import { h, replace } from "../dom.js";
import { moment } from "../format.js";
import { t } from "../language.js";
import { confirm } from "./dialog.js";

/** The card that says how it stands and turns it; `changed` is told when it was. */
export function killSwitch({ changed }) {
  const content = h("div", { class: "stack" });
  const node = h(
    "section",
    { class: "card", "aria-labelledby": "model-title" },
    h("h2", { id: "model-title" }, t("model.title")),
    content,
  );

  async function turn(isOn) {
    const word = isOn ? "stop" : "start";
    const done = await confirm({
      title: t(`${word}.title`),
      text: t(`${word}.text`),
      confirmWord: t(`${word}.confirm`),
      isDangerous: isOn,
      wantsReason: isOn,
      run: (reason) => api.setKillSwitch(isOn ? { model: "off", reason } : { model: "on" }),
    });
    if (done !== undefined) changed(t(done.changed === false ? "unchanged" : `${word}.done`));
  }

  return {
    node,
    update({ model, since, by, reason }) {
      const isOn = model !== "off";
      replace(
        content,
        h(
          "p",
          { class: "state" },
          h("span", { class: `pill ${isOn ? "is-on" : "is-off"}` }, t(isOn ? "model.on" : "model.off")),
          " ",
          t(isOn ? "model.on.text" : "model.off.text"),
        ),
        since && h("p", { class: "muted" }, t("model.since", { time: moment(since), by: by ?? "–" })),
        !isOn && reason && h("p", { class: "quote" }, t("model.why", { reason })),
        h(
          "button",
          {
            type: "button",
            "data-key": "kill-switch",
            class: isOn ? "danger" : "primary",
            on: { click: () => turn(isOn) },
          },
          t(isOn ? "model.stop" : "model.start"),
        ),
      );
    },
  };
}
