import { useQuery } from "@tanstack/react-query";
import { createContext } from "react";
import { type ListedModel, listedModels } from "@/services/models";
import { threadOf, useThreads } from "@/stores/chat";
import { useChatPreferences } from "@/stores/chat-preferences";

/** A model that can be talked to, as it is listed. Those of other engines tell less. */
export interface ChatModel extends ListedModel {
  capabilities?: string[];
  loaded?: boolean;
  state?: string;
  quantization?: string | null;
  size_bytes?: number;
  remote?: { name: string };
}

const READ_EACH_MS = 15_000;

/** The id of the model that answers next, for the messages of a chat: many ask, and one looks it up. */
export const AnsweringModel = createContext<string | null>(null);

/** The models that can be talked to. One place of the page keeps watching them: what is loaded changes. */
export function useChatModels(isWatching = false): { models: ChatModel[]; isHere: boolean; fault: unknown } {
  const { data, error } = useQuery({ ...listedModels, refetchInterval: isWatching ? READ_EACH_MS : false });
  const all = (data ?? []) as ChatModel[];
  const models = all.filter(({ capabilities }) => !capabilities || capabilities.includes("chat"));
  return { models, isHere: data !== undefined, fault: error };
}

/** The model that answers next in a chat: its own, else the one chosen last, else one that is loaded. */
export function useModel(chat: string): ChatModel | null {
  const own = useThreads((state) => state.threads[chat]?.chat.settings.model ?? null);
  const chosen = useChatPreferences((state) => state.model);
  const { models } = useChatModels();
  const named = (id: string | null) => models.find((model) => model.id === id);
  if (own) return named(own) ?? { id: own };
  return named(chosen) ?? models.find(({ loaded }) => loaded) ?? models[0] ?? null;
}

/** How many tokens the last answer of the branch left in the model's context. */
export function useContext(chat: string): { used: number; limit: number } | null {
  const model = useModel(chat);
  const used = useThreads((state) => usedIn(chat, state.threads[chat]?.chat.leaf_id ?? null));
  const limit = model?.context_length;
  return limit && used !== null ? { used, limit } : null;
}

function usedIn(chat: string, leaf: string | null): number | null {
  const { messages } = threadOf(chat);
  for (let at = leaf; at !== null; at = messages[at]?.parent_id ?? null) {
    const usage = messages[at]?.usage;
    if (usage) return usage.total_tokens;
  }
  return null;
}
