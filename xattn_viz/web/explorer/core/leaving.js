/**
 * Whether the visitor is turning to another page. A message of a component that reaches the server then would end the
 * run of that page, and leave it empty.
 */

const GRACE = 3000; // milliseconds from a click on a link until its page is there, or the visitor stayed

let lastClick = Number.NEGATIVE_INFINITY;
document.addEventListener(
  "click",
  (event) => {
    if (event.target instanceof Element && event.target.closest("a[href]")) lastClick = performance.now();
  },
  true,
);

/** What answers that, from here on. */
export function makeLeaving() {
  const place = window.location.pathname;
  return () => window.location.pathname !== place || performance.now() - lastClick < GRACE;
}
