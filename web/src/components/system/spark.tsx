import { KEPT } from "@/stores/meters";

const HEIGHT = 32;

/** A line of what was, the newest at the end; values from 0 to 1, null where nothing was told. */
export function Spark({ values }: { values: (number | null)[] }) {
  const start = KEPT - values.length;
  const points = values.flatMap((value, place) =>
    value === null
      ? []
      : [`${start + place},${(HEIGHT - 1 - Math.min(1, Math.max(0, value)) * (HEIGHT - 2)).toFixed(1)}`],
  );
  const first = points[0]?.split(",")[0] ?? "0";
  return (
    <svg
      aria-hidden="true"
      viewBox={`0 0 ${KEPT - 1} ${HEIGHT}`}
      preserveAspectRatio="none"
      className="h-12 w-full rounded-lg bg-sunken rtl:-scale-x-100"
    >
      {points.length > 1 ? (
        <>
          <polygon
            points={`${first},${HEIGHT} ${points.join(" ")} ${KEPT - 1},${HEIGHT}`}
            className="fill-accent opacity-15"
          />
          <polyline
            points={points.join(" ")}
            fill="none"
            strokeWidth={1.5}
            vectorEffect="non-scaling-stroke"
            className="stroke-accent"
          />
        </>
      ) : null}
    </svg>
  );
}
