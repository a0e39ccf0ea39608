import type { Area } from "../area";
import type { chat as english } from "../en/chat";

export const chat: Area<typeof english> = {};
