/** Save a text as a file of that name; `kind` is its media type. */
export function saveFile(name: string, text: string, kind = "text/plain"): void {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
