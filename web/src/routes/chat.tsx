export function ChatRoute({ id }: { id: string | null }) {
  return <p>{id}</p>;
}
