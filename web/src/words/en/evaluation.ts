export const evaluation = {
  "evaluation.tools": "tools {share}",
  "evaluation.suite": "{name} {share}",
  "evaluation.far": "{name}: {tried} of {of} tried",
  "evaluation.halted": "{name}: {state}",
  "evaluation.title.suite": "How {id} does in {name}",
  "evaluation.title": "How {id} calls tools",
  "evaluation.about":
    "{passed} of {of} tries passed; with other tries of the same kind it would be {low} to {high}. Below is what did not.",
  "evaluation.failed": "Tries that did not pass",
  "evaluation.none": "Every try passed.",
  "evaluation.asked": "Asked",
  "evaluation.answered": "Answered",
};
