/** The chats in the sidebar, the newest first. */
export function ChatList({ onGone }: { onGone?: (() => void) | undefined }) {
  return <div className="min-h-0 flex-1 overflow-y-auto" onClickCapture={onGone} />;
}
