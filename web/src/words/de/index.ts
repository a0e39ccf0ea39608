import { api } from "./api";
import { chat } from "./chat";
import { engines } from "./engines";
import { models } from "./models";
import { shell } from "./shell";

export const words = { ...shell, ...chat, ...models, ...api, ...engines };
