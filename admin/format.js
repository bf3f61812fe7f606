// Amounts, counts and times as people read them, with their units.

import { locale } from "./language.js";

export const NOTHING = "–";
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Dollars, from a decimal string: small ones with as many places as they need. */
export function money(text) {
  const value = Number(text);
  if (text === null || text === undefined || text === "" || !Number.isFinite(value)) return NOTHING;
  const places =
    value === 0 || value >= 1
      ? { minimumFractionDigits: 2, maximumFractionDigits: 2 }
      : value >= 0.01
        ? { minimumFractionDigits: 2, maximumFractionDigits: 4 }
        : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale(), {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    ...places,
  }).format(value);
}

/** A whole number. */
export function count(value) {
  return Number.isFinite(value) ? new Intl.NumberFormat(locale()).format(value) : NOTHING;
}

/** A share of something; nothing where there is none to share. */
export function percent(part, whole) {
  if (!(whole > 0)) return NOTHING;
  const share = part / whole;
  const most = share > 0 && share < 0.1 ? 1 : 0;
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: most }).format(share);
}

/** Milliseconds, as milliseconds or seconds. */
export function duration(milliseconds) {
  if (!Number.isFinite(milliseconds)) return NOTHING;
  const isLong = milliseconds >= 1_000;
  return new Intl.NumberFormat(locale(), {
    style: "unit",
    unit: isLong ? "second" : "millisecond",
    unitDisplay: "short",
    maximumFractionDigits: isLong ? 1 : 0,
  }).format(isLong ? milliseconds / 1_000 : milliseconds);
}

/** A moment in the reader's own zone, to the second. */
export function moment(text) {
  return dated(text, { dateStyle: "medium", timeStyle: "medium" });
}

/** A moment as short as a table needs it: with its year where that is not this one. */
export function shortMoment(text) {
  const isThisYear = new Date(text).getFullYear() === new Date().getFullYear();
  return dated(text, {
    year: isThisYear ? undefined : "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
  });
}

/** The time of day of a moment. */
export function clock(date) {
  return new Intl.DateTimeFormat(locale(), { timeStyle: "medium" }).format(date);
}

/** How long it is until a moment, in hours and minutes. */
export function until(text) {
  const minutes = Math.max(0, Math.round((Date.parse(text) - Date.now()) / 60_000));
  const unit = (value, name) =>
    new Intl.NumberFormat(locale(), { style: "unit", unit: name, unitDisplay: "short" }).format(value);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}` : unit(minutes, "minute");
}

/** How long ago a moment was. */
export function ago(text) {
  const seconds = Math.min(0, Math.round((Date.parse(text) - Date.now()) / 1_000));
  if (!Number.isFinite(seconds)) return NOTHING;
  const relative = new Intl.RelativeTimeFormat(locale(), { numeric: "auto", style: "short" });
  if (seconds > -60) return relative.format(seconds, "second");
  if (seconds > -3_600) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds > -86_400) return relative.format(Math.round(seconds / 3_600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}

/**
 * The date of a spending day. A day may begin at any hour of UTC; it is called after the date on which
 * its middle lies, so midnight in Beijing gives Beijing's date to every reader.
 */
export function dayName(startedAt, isLong = false) {
  const middle = new Date(startedAt + DAY_MS / 2);
  const style = isLong ? { weekday: "short", month: "short", day: "numeric" } : { month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(locale(), { ...style, timeZone: "UTC" }).format(middle);
}

function dated(text, style) {
  const at = Date.parse(text);
  return Number.isFinite(at) ? new Intl.DateTimeFormat(locale(), style).format(at) : NOTHING;
}
