// One gesture is one press. A double click, a double tap and a held Enter key submit a form more
// than once, and the answer of a near server comes between: a moment later the same hand would
// press for a second thing that nobody decided on. What always holds: nothing counts as a press
// that comes within the quiet time after an answer or after another press, or from a key that
// repeats itself. Knows neither form nor answer.

// Longer than the longest double click that systems allow by default (500 ms).
export const QUIET_MS = 700;

export class Gesture {
  #quietUntil = -Infinity;

  /** Whether this press, at `at` of the page's monotonic clock, is one of its own. */
  isNew(at) {
    const isNew = at >= this.#quietUntil;
    if (!isNew) this.#quietUntil = at + QUIET_MS;
    return isNew;
  }

  /** What was pressed for is answered: the hand that pressed may still be at it. */
  answered(at = performance.now()) {
    this.#quietUntil = at + QUIET_MS;
  }
}

/** Keeps a held Enter key from submitting the form again and again; its steppers may repeat. */
export function ignoreHeldEnter(form) {
  form.addEventListener("keydown", (event) => {
    const submits = event.target.type !== "button";
    if (event.key === "Enter" && event.repeat && submits) event.preventDefault();
  });
}
