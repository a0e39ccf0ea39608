import { useMutation, useQueryClient } from "@tanstack/react-query";
import { allEngines, order } from "@/services/engines";
import { tellFailure } from "@/stores/notices";

/** Gives an order and shows at once what became of it. */
export function useOrder() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: order,
    onError: tellFailure,
    onSettled: () => queries.invalidateQueries({ queryKey: allEngines.queryKey }),
  });
}
