import "./early";
import "./app.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Tip } from "./components/ui/tip";
import { router } from "./router";
import { Refused } from "./services/api";
import { prepareWords } from "./words";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // The server is reached without any network: that the browser has none says nothing.
      networkMode: "always",
      // A refusal stays one, however often it is asked again; a server that does not answer may come back.
      retry: (count, error) => error instanceof Refused && error.status === 0 && count < 60,
      retryDelay: 1_000,
    },
    mutations: { retry: false, networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root)
  void prepareWords().then(() =>
    createRoot(root).render(
      <StrictMode>
        <QueryClientProvider client={queries}>
          <RouterProvider router={router} />
          <Tip />
        </QueryClientProvider>
      </StrictMode>,
    ),
  );
