import type { Area } from "../area";
import type { engines as english } from "../en/engines";

export const engines: Area<typeof english> = {};
