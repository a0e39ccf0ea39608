import type { Area } from "../area";
import type { api as english } from "../en/api";

export const api: Area<typeof english> = {};
