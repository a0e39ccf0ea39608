import { create } from "zustand";
import { NEW } from "./chat";
import { changeSettings } from "./chat-drafts";

/** The models that answer beside the chosen one in a chat that is about to begin, as another place of the page wants it. */
export const useBeside = create<{ models: string[] }>()(() => ({ models: [] }));

/** Have the next new chat answered by a model, and by others beside it. */
export function chatWith(model: string, beside: string[]): void {
  changeSettings(NEW, { model });
  useBeside.setState({ models: beside });
}

/** They were asked; the chat after that has none of them. */
export function forgetBeside(): void {
  useBeside.setState({ models: [] });
}
