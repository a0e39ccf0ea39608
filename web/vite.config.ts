import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": "/src" } },
  build: {
    outDir: "dist",
    target: "es2022",
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    sourcemap: false,
    // A few files in place of dozens: what every page begins with, what several parts share, and each part's own.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "first", tags: ["$initial"], priority: 2 },
            // What draws is for the places of training alone, however many of them share it.
            { name: "curves", test: /[\\/]node_modules[\\/]uplot[\\/]/, priority: 3 },
            {
              name: "shared",
              test: /[\\/]web[\\/](src(?![\\/]components[\\/]training)|node_modules)[\\/]/,
              minShareCount: 2,
              priority: 1,
            },
          ],
        },
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/v1", "/api", "/health", "/openapi.json"].map((path) => [path, "http://127.0.0.1:8642"]),
    ),
  },
});
