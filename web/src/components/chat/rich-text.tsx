import "katex/dist/katex.min.css";
import "./rich-text.css";
import { type ComponentProps, memo, useMemo, useRef } from "react";
import Markdown, { type Components, type Options } from "react-markdown";
import rehypeHighlight from "rehype-highlight";
import rehypeKatex from "rehype-katex";
import remarkGfm from "remark-gfm";
import remarkMath from "remark-math";
import remend from "remend";
import { CopyButton } from "@/components/ui/pieces";
import { useWords } from "@/words";
import { type Block, BlockSplitter, withMath } from "./blocks";

/** Longer code that is still being written is coloured when it is complete. */
const COLOURED_LIVE_CHARACTERS = 3_000;
const remarkPlugins: Options["remarkPlugins"] = [remarkGfm, remarkMath];
/** Made once: it reads the grammars of all its languages. */
const highlight = rehypeHighlight({ detect: false });
const coloured: Options["rehypePlugins"] = [
  [rehypeKatex, { strict: false, throwOnError: false, trust: false }],
  () => highlight,
];
const plain: Options["rehypePlugins"] = [];
/** What is half written looks as it will: an address that is not at its end yet would take lines and give them back. */
const HALF_WRITTEN = { linkMode: "text-only", katex: false } as const;

const components: Components = {
  a: ({ href, children }) => (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ),
  img: ({ src, alt }) => <RemoteImage src={typeof src === "string" ? src : ""} alt={alt ?? ""} />,
  pre: ({ children }) => <Code>{children}</Code>,
  table: ({ children }) => <Table>{children}</Table>,
  input: ({ checked }) => <span aria-hidden>{checked ? "☑ " : "☐ "}</span>,
};

/** Markdown with mathematics and coloured code; of a text that grows, only the last block is made anew. */
export function RichText({ text, isLive }: { text: string; isLive: boolean }) {
  const splitter = useRef<BlockSplitter>(null);
  splitter.current ??= new BlockSplitter();
  const blocks = splitter.current.split(text);
  return (
    <div className="rich" dir="auto">
      {blocks.map((block, place) => (
        <OneBlock
          // biome-ignore lint/suspicious/noArrayIndexKey: a block is known by its place; text only grows at its end
          key={place}
          text={block.text}
          isCode={block.isCode}
          isLive={isLive && place === blocks.length - 1}
        />
      ))}
    </div>
  );
}

const OneBlock = memo(function OneBlock({ text, isCode, isLive }: Block & { isLive: boolean }) {
  const source = useMemo(
    () => (isCode ? text : withMath(isLive ? remend(text, HALF_WRITTEN) : text)),
    [text, isCode, isLive],
  );
  const isPlain = isCode && isLive && text.length > COLOURED_LIVE_CHARACTERS;
  return (
    <Markdown
      remarkPlugins={remarkPlugins}
      rehypePlugins={isPlain ? plain : coloured}
      components={components}
    >
      {source}
    </Markdown>
  );
});

/** An image elsewhere is a link: loading it would tell its host what is read here. */
function RemoteImage({ src, alt }: { src: string; alt: string }) {
  const t = useWords();
  return (
    <a href={src} target="_blank" rel="noopener noreferrer">
      {t("chat.image.remote", { what: alt || src })}
    </a>
  );
}

function Code({ children }: { children: ComponentProps<"pre">["children"] }) {
  const t = useWords();
  const pre = useRef<HTMLPreElement>(null);
  const named = (children as { props?: { className?: string } } | null)?.props?.className ?? "";
  const language = /language-([\w+#.-]+)/.exec(named)?.[1] ?? "";
  return (
    <div className="my-3 overflow-hidden rounded-xl border border-line bg-sunken" dir="ltr">
      <div className="flex items-center border-b border-line ps-3 text-xs text-soft">
        <span className="flex-1 font-mono">{language || t("chat.code")}</span>
        <CopyButton
          label={t("chat.code.copy")}
          text={() => pre.current?.textContent?.replace(/\n$/, "") ?? ""}
        />
      </div>
      <section aria-label={language || t("chat.code")} tabIndex={0} className="overflow-x-auto">
        <pre ref={pre} className="p-3 font-mono text-[0.8125rem] leading-relaxed">
          {children}
        </pre>
      </section>
    </div>
  );
}

function Table({ children }: { children: ComponentProps<"table">["children"] }) {
  const t = useWords();
  return (
    <section aria-label={t("chat.table")} tabIndex={0} className="my-3 overflow-x-auto">
      <table>{children}</table>
    </section>
  );
}
