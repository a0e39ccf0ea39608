import { usePreferences } from "@/stores/preferences";
import { tagOf } from "./index";

export interface Amounts {
  /** A count, grouped as the language does: 12,345. */
  count: (value: number) => string;
  /** Bytes in the largest fitting unit of 1024: 1.5 GiB. */
  bytes: (value: number) => string;
  /** Seconds: 340 ms, 4.2 s, 3 min 20 s, 2 h 5 min. */
  duration: (seconds: number) => string;
  /** 0.997 as 99.7 %. */
  share: (value: number) => string;
  /** A number with at most `digits` after the point. */
  number: (value: number, digits?: number) => string;
  /** A moment, in seconds since 1970. */
  moment: (seconds: number) => string;
}

/** Beyond it there are no dates. */
const LATEST_S = 8.64e12;
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

const made = new Map<string, Amounts>();

/** The amounts of a language; each of its formats is made once and when it is needed, as making one takes long. */
export function amountsIn(tag: string): Amounts {
  const known = made.get(tag) ?? amountsOf(tag);
  made.set(tag, known);
  return known;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

function amountsOf(tag: string): Amounts {
  const formats: Record<number, Intl.NumberFormat> = {};
  const number = (value: number, digits = 1) => {
    formats[digits] ??= new Intl.NumberFormat(tag, { maximumFractionDigits: digits });
    return formats[digits].format(value);
  };
  const percent = once(() => new Intl.NumberFormat(tag, { style: "percent", maximumFractionDigits: 1 }));
  const when = once(() => new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "short" }));
  return {
    count: (value) => number(value, 0),
    number,
    share: (value) => percent().format(value),
    moment: (seconds) => (Math.abs(seconds) < LATEST_S ? when().format(seconds * 1000) : "–"),
    bytes: (value) => {
      const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
      return `${number(value / 1024 ** power, power < 2 ? 0 : 1)} ${UNITS[power]}`;
    },
    duration: (seconds) => {
      if (seconds < 1) return `${number(seconds * 1000, 0)} ms`;
      if (seconds < 60) return `${number(seconds)} s`;
      const whole = Math.round(seconds);
      if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
      return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
    },
  };
}

/** Numbers, sizes, durations and dates in the reader's language. */
export function useAmounts(): Amounts {
  const language = usePreferences((state) => state.language);
  return amountsIn(tagOf(language));
}
