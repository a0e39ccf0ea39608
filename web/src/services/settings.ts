import { queryOptions } from "@tanstack/react-query";
import { ask } from "./api";

export type SettingValue = string | number | boolean;

/** A setting as `GET /api/settings` tells it. */
export interface Setting {
  name: string;
  help: string;
  kind: "switch" | "whole" | "number" | "text" | "choice";
  choices: string[] | null;
  low: number | null;
  high: number | null;
  default: SettingValue;
  value: SettingValue;
  source: "default" | "file" | "environment" | "flag";
  in_file: SettingValue | null;
  /** What the next start takes, if it is started in the same way. */
  next_value: SettingValue;
  flag: string;
  variable: string;
  is_editable: boolean;
  why_not: string | null;
}

export interface Settings {
  file: string;
  can_change: boolean;
  why_not: string | null;
  fault: string | null;
  settings: Setting[];
}

export const allSettings = queryOptions({
  queryKey: ["api", "settings"],
  queryFn: ({ signal }) => ask<Settings>("GET", "/api/settings", undefined, signal),
});

/** Write values into the file; null takes one out. Throws `Refused`. */
export const changeSettings = (values: Record<string, SettingValue | null>) =>
  ask<Settings>("PATCH", "/api/settings", values);
