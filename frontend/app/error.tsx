"use client";

/** For our own bugs: what a service refuses is shown by the page itself. */
export default function Failed({ reset }: { reset: () => void }) {
  return (
    <>
      <h1 className="pb-4 font-serif text-4xl font-bold">This page failed</h1>
      <p className="pb-6">It is our fault. If you were ordering, the order counts only once.</p>
      <button type="button" onClick={reset} className="btn">
        Try again
      </button>
    </>
  );
}
