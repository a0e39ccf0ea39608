import { Check, ChevronDown } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { changeSettings } from "@/stores/chat-drafts";
import { useChatPreferences } from "@/stores/chat-preferences";
import { useWords } from "@/words";
import { useAmounts } from "@/words/amounts";
import { type ChatModel, useChatModels, useModel } from "./use-models";

const MOST = 4;

interface Props {
  chat: string;
  /** The models that answer beside the chosen one. */
  others: readonly string[];
  onOthers: (ids: string[]) => void;
}

/** Which model answers, and which ones answer beside it. */
export function ModelPicker({ chat, others, onOthers }: Props) {
  const t = useWords();
  const { models, isHere } = useChatModels();
  const model = useModel(chat);
  const isBlind = useChatPreferences((state) => state.isBlind);
  const choose = (id: string) => {
    useChatPreferences.getState().set({ model: id });
    changeSettings(chat, { model: id });
    onOthers(others.filter((one) => one !== id));
  };
  const beside = (id: string, isChosen: boolean) =>
    onOthers(isChosen ? [...others, id].slice(0, MOST - 1) : others.filter((one) => one !== id));
  const more = others.length > 0 ? ` + ${others.length}` : "";
  const shown = (model?.id ?? t(isHere ? "chat.model.none" : "state.loading")) + more;
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        data-model-picker
        className="flex min-h-9 max-w-56 min-w-0 items-center gap-1 rounded-lg px-2 text-sm text-soft hover:bg-sunken hover:text-ink coarse:min-h-11"
        aria-label={t("chat.model", { model: shown })}
      >
        <span className="min-w-0 truncate">{shown}</span>
        <ChevronDown className="size-4 shrink-0" aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          sideOffset={4}
          collisionPadding={8}
          align="start"
          className="z-50 max-h-(--radix-dropdown-menu-content-available-height) w-72 max-w-[94vw] overflow-y-auto rounded-xl border border-line bg-raised p-1 text-sm shadow-lg"
        >
          <DropdownMenu.RadioGroup value={model?.id ?? ""} onValueChange={choose}>
            {models.map((one) => (
              <DropdownMenu.RadioItem key={one.id} value={one.id} className={ITEM}>
                <About model={one} />
                <DropdownMenu.ItemIndicator>
                  <Check className="size-4" aria-hidden />
                </DropdownMenu.ItemIndicator>
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          {models.length > 1 ? (
            <>
              <DropdownMenu.Separator className="my-1 h-px bg-line" />
              <DropdownMenu.Label className="px-2.5 py-1 text-xs text-soft">
                {t("chat.compare")}
              </DropdownMenu.Label>
              {models
                .filter(({ id }) => id !== model?.id)
                .map((one) => (
                  <DropdownMenu.CheckboxItem
                    key={one.id}
                    checked={others.includes(one.id)}
                    disabled={!others.includes(one.id) && others.length >= MOST - 1}
                    onCheckedChange={(isChosen) => beside(one.id, isChosen)}
                    onSelect={(event) => event.preventDefault()}
                    className={ITEM}
                  >
                    <span className="min-w-0 flex-1 truncate">{one.id}</span>
                    <DropdownMenu.ItemIndicator>
                      <Check className="size-4" aria-hidden />
                    </DropdownMenu.ItemIndicator>
                  </DropdownMenu.CheckboxItem>
                ))}
              <DropdownMenu.Separator className="my-1 h-px bg-line" />
              <DropdownMenu.CheckboxItem
                checked={isBlind}
                onCheckedChange={(isOn) => useChatPreferences.getState().set({ isBlind: isOn })}
                onSelect={(event) => event.preventDefault()}
                className={ITEM}
              >
                <span className="min-w-0 flex-1">{t("chat.blind")}</span>
                <DropdownMenu.ItemIndicator>
                  <Check className="size-4" aria-hidden />
                </DropdownMenu.ItemIndicator>
              </DropdownMenu.CheckboxItem>
            </>
          ) : null}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

const ITEM =
  "flex min-h-9 cursor-pointer items-center gap-2 rounded-lg px-2.5 py-1 outline-none data-disabled:opacity-50 data-highlighted:bg-tint coarse:min-h-11";

function About({ model }: { model: ChatModel }) {
  const t = useWords();
  const { count, bytes } = useAmounts();
  const told = [
    model.loaded ? t("chat.model.loaded") : null,
    model.state === "starting" ? t("chat.model.loading") : null,
    model.remote ? t("chat.model.remote", { name: model.remote.name }) : null,
    model.context_length ? t("chat.model.context", { n: count(model.context_length) }) : null,
    model.size_bytes ? bytes(model.size_bytes) : null,
  ].filter(Boolean);
  return (
    <span className="min-w-0 flex-1">
      <span className="block truncate">{model.id}</span>
      <span className="block truncate text-xs text-soft">{told.join(" · ")}</span>
    </span>
  );
}
