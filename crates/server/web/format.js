// Numbers, money and times as text. Pure: a value and a language in, text out; knows no
// page and no state. Money stays an integer in minor units until the last moment.

/**
 * Decimal places of a currency's minor unit where they are not two (ISO 4217). Not what Intl
 * says: CLDR counts the places that are in use (none for HUF, two for IQD), and an amount would be
 * another one here than in an e-mail. The same table as in `money.rs` of the mails.
 */
const MINOR_DIGITS = new Map(
  [
    [0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
    [3, "BHD IQD JOD KWD LYD OMR TND"],
    [4, "CLF UYW"],
  ].flatMap(([digits, codes]) => codes.split(" ").map((code) => [code, digits])),
);

export const exponent = (currency) => MINOR_DIGITS.get(currency) ?? 2;

export function money(minor, currency, lang) {
  const digits = exponent(currency);
  const places = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  try {
    return new Intl.NumberFormat(lang, { style: "currency", currency, ...places }).format(
      minor / 10 ** digits,
    );
  } catch {
    return `${(minor / 10 ** digits).toFixed(digits)} ${currency}`;
  }
}

/** An amount as it stands in a field beside its currency: `12,100`, `4.50`. */
export function amount(minor, currency, lang) {
  const digits = exponent(currency);
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(lang, options).format(minor / 10 ** digits);
}

/** `₩`, `€`; the code itself where a language has no sign for it. */
export function currencySign(currency, lang) {
  try {
    const parts = new Intl.NumberFormat(lang, { style: "currency", currency }).formatToParts(0);
    return parts.find((part) => part.type === "currency").value;
  } catch {
    return currency;
  }
}

// `1,234,567.89`: a comma stands before every three digits, or nowhere.
const GROUPED = /^(\d+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.(\d+))?$/;
const COMMA_FOR_POINT = /^(\d+),(\d+)$/;

/**
 * What a person typed as minor units, or null. A comma parts thousands as both languages write
 * them, so that `1,234` is always more than a thousand; where it cannot (`4,50`) and as many
 * digits follow as the currency may have, it is the decimal mark that half the world types.
 * Everything else is refused rather than guessed. Works on the digits, because 4.35 * 100 is not
 * 435 in binary.
 */
export function parseMoney(text, currency) {
  const digits = exponent(currency);
  const typed = String(text).trim();
  const match = GROUPED.exec(typed) ?? COMMA_FOR_POINT.exec(typed);
  if (!match) return null;
  const fraction = match[2] ?? "";
  if (fraction.length > digits) return null;
  const minor = Number(match[1].replaceAll(",", "") + fraction.padEnd(digits, "0"));
  return Number.isSafeInteger(minor) ? minor : null;
}

export function count(n, lang) {
  return new Intl.NumberFormat(lang).format(n);
}

/** `02:13`, `1:02:13`: a moment shown as 00:00 is the moment itself, so it rounds up. */
export function countdown(ms) {
  const total = Math.max(0, Math.ceil(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const rest = `${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

/** What is left of an auction: to the second within two days, else days and hours. */
export function timeLeft(ms, lang) {
  const hours = Math.ceil(ms / 1000) / 3600;
  if (hours < 48) return countdown(ms);
  const days = Math.floor(hours / 24);
  const rest = Math.floor(hours) % 24;
  return `${unit(days, "day", lang, "short")} ${unit(rest, "hour", lang, "short")}`;
}

/** A length that a rule names, in the largest unit that it is a whole number of. */
export function duration(ms, lang) {
  for (const [length, name] of [[86_400_000, "day"], [3_600_000, "hour"], [60_000, "minute"]]) {
    if (ms >= length && ms % length === 0) return unit(ms / length, name, lang);
  }
  return unit(ms / 1000, "second", lang);
}

function unit(n, name, lang, display = "long") {
  return new Intl.NumberFormat(lang, { style: "unit", unit: name, unitDisplay: display }).format(n);
}

/**
 * An estimate at the precision it deserves, so that it does not flutter: minutes up to 20,
 * then steps of five, then hours, then days. Null means under a minute.
 */
export function roughly(seconds, lang) {
  if (seconds < 60) return null;
  const minutes = Math.ceil(seconds / 60);
  if (minutes <= 20) return unit(minutes, "minute", lang);
  if (minutes < 90) return unit(Math.round(minutes / 5) * 5, "minute", lang);
  const hours = Math.round(minutes / 60);
  if (hours < 48) return unit(hours, "hour", lang);
  return unit(Math.round(hours / 24), "day", lang);
}

/** How old something is, in the largest whole unit. */
export function age(seconds, lang) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return unit(s, "second", lang, "short");
  if (s < 3600) return unit(Math.floor(s / 60), "minute", lang, "short");
  if (s < 86_400) return unit(Math.floor(s / 3600), "hour", lang, "short");
  return unit(Math.floor(s / 86_400), "day", lang, "short");
}

export function time(iso, lang) {
  return new Intl.DateTimeFormat(lang, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

/** A moment to the second, where seconds decide. */
export function exactMoment(iso, lang) {
  return new Intl.DateTimeFormat(lang, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}

export function moment(iso, lang) {
  return new Intl.DateTimeFormat(lang, {
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  }).format(new Date(iso));
}
