import { ScoreBadge } from "@/components/evaluations/score";
import type { Score } from "@/services/evaluations";

/** How a model calls tools, as a badge that opens the tries that did not pass. */
export function ToolScore({ id, score }: { id: string; score: Score | undefined }) {
  return score ? <ScoreBadge id={id} suite="tools" score={score} /> : null;
}
