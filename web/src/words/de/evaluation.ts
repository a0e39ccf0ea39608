import type { Area } from "../area";
import type { evaluation as english } from "../en/evaluation";

export const evaluation: Area<typeof english> = {
  "evaluation.tools": "Werkzeuge {share}",
  "evaluation.suite": "{name} {share}",
  "evaluation.far": "{name}: {tried} von {of} versucht",
  "evaluation.halted": "{name}: {state}",
  "evaluation.title.suite": "Wie {id} in {name} abschneidet",
  "evaluation.title": "Wie {id} Werkzeuge aufruft",
  "evaluation.about":
    "{passed} von {of} Versuchen gelangen; mit anderen Versuchen derselben Art wären es {low} bis {high}. Darunter steht, was misslang.",
  "evaluation.failed": "Versuche, die misslangen",
  "evaluation.none": "Jeder Versuch gelang.",
  "evaluation.asked": "Gefragt",
  "evaluation.answered": "Geantwortet",
};
