import type { Area } from "../area";
import type { knowledge as english } from "../en/knowledge";

export const knowledge: Area<typeof english> = {
  "knowledge.about":
    "Dokumente, in denen Modelle nachsehen können. Ein Chat bekommt eine Sammlung in seiner Leiste, und Antworten nennen die Stellen.",
  "knowledge.none": "Es gibt noch keine Sammlung. Leg eine an und füge Dokumente hinzu.",
  "knowledge.name": "Name einer neuen Sammlung",
  "knowledge.new": "Neue Sammlung",
  "knowledge.documents": "Dokumente: {count}",
  "knowledge.passages": "Stellen: {count}, nach Bedeutung {embedded}",
  "knowledge.pages": "Seiten: {count}",
  "knowledge.page": "Seite {page}",
  "knowledge.progress": "{done} von {documents} Dokumenten sind fertig",
  "knowledge.documents.title": "Dokumente",
  "knowledge.documents.none":
    "Noch nichts darin. Füge PDF, Word, PowerPoint, Excel, HTML, Markdown oder Text hinzu.",
  "knowledge.document.remove": "{name} entfernen",
  "knowledge.state.waiting": "wartet",
  "knowledge.state.reading": "wird gelesen",
  "knowledge.state.embedding": "wird eingebettet",
  "knowledge.state.ready": "fertig",
  "knowledge.state.failed": "gescheitert",
  "knowledge.state.cancelled": "abgebrochen",
  "knowledge.search.title": "Darin suchen",
  "knowledge.search": "Was gesucht wird",
  "knowledge.search.go": "Suchen",
  "knowledge.search.none": "Nichts gefunden.",
  "knowledge.found": "Gefundene Stellen",
  "knowledge.passage": "Stelle {number}",
  "knowledge.add": "Dokumente hinzufügen",
  "knowledge.cancel": "Arbeit abbrechen",
  "knowledge.resume": "Weitermachen",
  "knowledge.sync": "Ordner abgleichen",
  "knowledge.remove": "Entfernen",
  "knowledge.remove.title": "{name} entfernen?",
  "knowledge.remove.about":
    "Alles, was aus den Dokumenten gelesen wurde, geht verloren. Dateien dieses Rechners bleiben.",
};
