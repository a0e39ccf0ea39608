import type { Setting } from "@/services/settings";
import type { Key } from "@/words";

/** What belongs together on the page, in the order in which it is shown. */
export const GROUPS = {
  models: ["model", "context_tokens", "slots", "threads", "batch_tokens", "answer_tokens_most"],
  memory: [
    "memory_budget_bytes",
    "models_most",
    "slot_cache_bytes",
    "idle_unload_s",
    "load_timeout_s",
    "queue_most",
    "queue_patience_s",
  ],
  folders: [
    "model_folders",
    "scan_others",
    "lmstudio_folder",
    "ollama_folder",
    "downloads_at_once",
    "lend_hub_token",
  ],
  requests: [
    "strict_wire",
    "guard_control_text",
    "fetch_images",
    "image_most_bytes",
    "fetch_timeout_s",
    "max_body_bytes",
    "receive_timeout_s",
    "shutdown_grace_s",
    "status_deadline_s",
    "keepalive_s",
    "answer_timeout_s",
    "abandoned_timeout_s",
  ],
  kept: [
    "record",
    "record_most_bytes",
    "record_days",
    "response_days",
    "database_url",
    "log_level",
    "log_format",
    "trace_endpoint",
  ],
  access: [
    "host",
    "port",
    "allowed_origins",
    "require_key",
    "require_login",
    "server_names",
    "trusted_proxies",
    "tls_cert",
    "tls_key",
    "unsafe_no_auth",
    "knowledge_model",
    "search_address",
    "tools_network",
    "tools_unsafe",
    "engine",
    "engine_mirror",
  ],
} as const;
export type Group = keyof typeof GROUPS | "other";
type Known = (typeof GROUPS)[keyof typeof GROUPS][number];

const GROUP_OF = new Map<string, Group>(
  Object.entries(GROUPS).flatMap(([group, names]) => names.map((name) => [name, group as Group])),
);

/** The group of a setting; one that this page does not know yet has a place too. */
export function groupOf(name: string): Group {
  return GROUP_OF.get(name) ?? "other";
}

/** The key of a setting's name in words; null for one that this page does not know. */
export function labelOf(name: string): Key | null {
  return GROUP_OF.has(name) ? `setting.${name as Known}` : null;
}

/** Whether all words of what was typed stand in a setting's names or meaning. */
export function matches(setting: Setting, label: string, asked: string): boolean {
  const about = `${setting.name} ${setting.name.replaceAll("_", " ")} ${label} ${setting.help}`.toLowerCase();
  return asked
    .toLowerCase()
    .split(/\s+/)
    .every((word) => about.includes(word));
}
