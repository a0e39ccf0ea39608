import { Ellipsis, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Dialog } from "@/components/ui/dialog";
import { Menu } from "@/components/ui/menu";
import { folders } from "@/services/chats";
import { tellFailure } from "@/stores/notices";
import { useWords } from "@/words";

export function FolderMenu({ id, name, onRename }: { id: string; name: string; onRename: () => void }) {
  const t = useWords();
  const [isAsked, setAsked] = useState(false);
  const remove = () => {
    setAsked(false);
    void folders.remove(id).catch(tellFailure);
  };
  return (
    <>
      <Menu
        trigger={
          <IconButton label={t("chat.folder.more", { name })}>
            <Ellipsis />
          </IconButton>
        }
        entries={[
          { label: t("chat.rename"), icon: <Pencil />, run: onRename },
          { label: t("act.delete"), icon: <Trash2 />, run: () => setAsked(true), isDangerous: true },
        ]}
      />
      <Dialog
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        title={t("chat.folder.delete", { name })}
        about={t("chat.folder.delete.about")}
        foot={
          <>
            <Button kind="quiet" onClick={() => setAsked(false)}>
              {t("act.cancel")}
            </Button>
            <Button kind="danger" onClick={remove}>
              {t("act.delete")}
            </Button>
          </>
        }
      />
    </>
  );
}
