import type { Area } from "../area";
import type { transfer as english } from "../en/transfer";

export const transfer: Area<typeof english> = {
  "transfer.all": "Alle Chats",
  "transfer.bring": "{n} Chats übernehmen",
  "transfer.brought": "{n} Chats wurden übernommen.",
  "transfer.choose": "Datei wählen",
  "transfer.drop": "oder hier ablegen",
  "transfer.export": "Export",
  "transfer.export.about": "Alle Chats dieses Paddocks in einer Datei.",
  "transfer.export.save": "Datei speichern",
  "transfer.form": "Form",
  "transfer.form.chatgpt": "ChatGPT",
  "transfer.form.json": "JSON: alles, zum Wiedereinlesen",
  "transfer.form.lm-studio": "LM Studio",
  "transfer.form.markdown": "Markdown: zum Lesen",
  "transfer.form.open-webui": "Open WebUI",
  "transfer.form.paddock-chats": "paddock",
  "transfer.form.sharegpt": "ShareGPT",
  "transfer.form.sharegpt.lines": "ShareGPT: eine Zeile je Chat, zum Trainieren",
  "transfer.found": "{n} Chats von {form}",
  "transfer.here": "schon da",
  "transfer.import": "Import",
  "transfer.import.about":
    "Eine Datei, die paddock, ChatGPT (auch sein Zip), Open WebUI oder LM Studio exportiert hat, oder ShareGPT. Übernommen wird erst, was Sie wählen.",
  "transfer.left": "Nicht dabei: {what}",
  "transfer.messages": "{n} Nachrichten",
  "transfer.none": "Keine wählen",
  "transfer.reading": "Die Datei wird gelesen …",
  "transfer.untitled": "Ohne Titel",
};
