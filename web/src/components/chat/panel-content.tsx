export function PanelContent(_: { chat: string }) {
  return null;
}
