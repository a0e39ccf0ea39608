import { Button } from "@/components/ui/button";
import { ChoiceField, SwitchField } from "@/components/ui/field";
import { Card } from "@/components/ui/pieces";
import { type Language, type Theme, usePreferences } from "@/stores/preferences";
import { useWords } from "@/words";

const THEMES: Theme[] = ["system", "light", "dark"];
const LANGUAGES: { value: Language; label: string }[] = [
  { value: "en", label: "English" },
  { value: "de", label: "Deutsch" },
];

/** What this browser prefers; at once, and in it alone. */
export function OwnPreferences() {
  const t = useWords();
  const { theme, language, isEnterSending, isFollowing, set } = usePreferences();
  return (
    <Card title={t("own.title")}>
      <div className="flex flex-col gap-5">
        <p className="text-sm text-soft">{t("own.about")}</p>
        <div className="grid gap-5 sm:grid-cols-2">
          <ChoiceField
            label={t("theme.label")}
            value={theme}
            onChange={(event) => set({ theme: event.target.value as Theme })}
            choices={THEMES.map((value) => ({ value, label: t(`theme.${value}`) }))}
          />
          <ChoiceField
            label={t("language.label")}
            value={language}
            onChange={(event) => set({ language: event.target.value as Language })}
            choices={LANGUAGES}
          />
        </div>
        <SwitchField
          label={t("own.enter")}
          hint={t("own.enter.hint")}
          isOn={isEnterSending}
          onChange={(isOn) => set({ isEnterSending: isOn })}
        />
        <SwitchField
          label={t("own.follow")}
          hint={t("own.follow.hint")}
          isOn={isFollowing}
          onChange={(isOn) => set({ isFollowing: isOn })}
        />
        <Button className="self-start" onClick={() => set({ isTourDone: false })}>
          {t("own.tour")}
        </Button>
      </div>
    </Card>
  );
}
