import type { Area } from "../area";
import type { models as english } from "../en/models";

export const models: Area<typeof english> = {};
