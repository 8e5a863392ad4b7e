import { Component, type ReactNode } from 'react';
import { Empty } from '../components/feedback';

/** Keeps the shell, the kill switch above all, when a page fails or can't be loaded from a host that was replaced. */
export class ErrorBoundary extends Component<{ readonly children: ReactNode }, { readonly failed: boolean }> {
  override readonly state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <Empty title="This page could not be shown" icon="warning">
        The host may have been replaced by another version since the page was loaded.
        <p>
          <button type="button" className="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      </Empty>
    );
  }
}
