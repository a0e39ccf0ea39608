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
  "evaluation.all": "Bewertungen von {id}",
  "evaluation.all.about":
    "Was es richtig macht, so wie es hier bedient wird, jede Zahl mit ihrem Intervall. Eigene Sätze: paddock eval run.",
  "evaluation.all.none": "Es wurde hier noch nicht bewertet.",
  "evaluation.begin.tools": "Werkzeugaufrufe bewerten",
  "evaluation.begin.pocket": "Zurückgelegte Prompts von pocket versuchen",
  "evaluation.passed": "{passed} von {of} gelangen: {share} ({low} bis {high})",
  "evaluation.tried": "{tried} von {of} versucht",
  "evaluation.failed.show": "Was misslang",
  "evaluation.failed.one": "Was in {name} misslang",
  "evaluation.beside": "Nebeneinander",
  "evaluation.beside.show": "Vergleichen",
  "evaluation.beside.one": "{name} vergleichen",
  "evaluation.before": "Vorher",
  "evaluation.before.hint": "Eine Bewertung derselben Versuche, etwa die des Modells vor seinem Finetuning.",
  "evaluation.case": "Fall",
  "evaluation.in_all": "insgesamt",
  "evaluation.before.short": "Vorher",
  "evaluation.after.short": "Nachher",
  "evaluation.gained": "Gewonnen",
  "evaluation.lost": "Verloren",
  "evaluation.difference": "Punkte (95 von 100)",
  "evaluation.chance": "Durch Zufall",
  "evaluation.points": "{difference} ({low} bis {high})",
  "evaluation.bits":
    "Bits je Byte: vorher {before}, nachher {after}, {difference} ({low} bis {high}) über {texts} Texte; weniger ist besser.",
  "evaluation.left_out": "{n} Ergebnisse haben kein Gegenstück und bleiben außer Betracht.",
  "evaluation.failed": "Versuche, die misslangen",
  "evaluation.none": "Jeder Versuch gelang.",
  "evaluation.asked": "Gefragt",
  "evaluation.answered": "Geantwortet",
};
