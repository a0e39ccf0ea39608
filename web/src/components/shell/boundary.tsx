import { Component, type ReactNode } from "react";
import { Button } from "@/components/ui/button";
import { useWords } from "@/words";

interface Props {
  /** What stands for the place; another one clears the fault. */
  place: string;
  children: ReactNode;
}

/** Keeps the fault of one part of the page from taking the rest with it. */
export class Boundary extends Component<Props, { fault: Error | null; place: string }> {
  override state = { fault: null as Error | null, place: this.props.place };

  static getDerivedStateFromError(fault: Error) {
    return { fault };
  }

  static getDerivedStateFromProps(props: Props, state: { place: string }) {
    return props.place === state.place ? null : { fault: null, place: props.place };
  }

  override render() {
    const { fault } = this.state;
    return fault ? (
      <Crashed fault={fault} onRetry={() => this.setState({ fault: null })} />
    ) : (
      this.props.children
    );
  }
}

function Crashed({ fault, onRetry }: { fault: Error; onRetry: () => void }) {
  const t = useWords();
  return (
    <div role="alert" className="m-6 flex flex-col items-start gap-3 rounded-2xl border border-danger p-4">
      <h1 className="font-semibold">{t("shell.crashed")}</h1>
      <pre className="max-w-full overflow-x-auto text-sm text-soft">{fault.message}</pre>
      <Button onClick={onRetry}>{t("shell.crashed.retry")}</Button>
    </div>
  );
}
