// The server's clock, as seen from here. What always holds: `now()` lies inside the
// narrowest interval that every answer so far allows, so a countdown is right on a device
// whose own clock is wrong. Knows no page, no network; callers hand in what they observed.

export class ServerClock {
  #local;
  #wall;
  #low = -Infinity;
  #high = Infinity;

  /** `local` must be monotonic: a step of the device's clock must not move a countdown. */
  constructor(local = () => performance.now(), wall = () => Date.now()) {
    this.#local = local;
    this.#wall = wall;
  }

  local() {
    return this.#local();
  }

  /**
   * The `Date` header is cut to the second and was written at some moment between sending
   * the request and receiving the answer. Each answer therefore gives an interval for the
   * offset; their intersection soon is a few milliseconds wide.
   */
  observeDate(header, sentAt, receivedAt) {
    const date = Date.parse(header ?? "");
    if (Number.isFinite(date)) this.#narrow(date - receivedAt, date + 1000 - sentAt);
  }

  /** An event cannot arrive before it happened, which bounds the offset from below. */
  observeEvent(at, receivedAt = this.#local()) {
    const happened = Date.parse(at ?? "");
    if (Number.isFinite(happened)) this.#narrow(happened - receivedAt, Infinity);
  }

  /**
   * The device slept so long without the local clock running. A guess (somebody may have set the
   * device's clock forward instead) that holds until the next answer, which decides.
   */
  slept(ms) {
    this.#low += ms;
    this.#high += ms;
  }

  now() {
    return this.#local() + this.#offset();
  }

  /** Width of what is still possible, in milliseconds; infinite before the first answer. */
  get uncertainty() {
    return this.#high - this.#low;
  }

  #offset() {
    if (Number.isFinite(this.#low) && Number.isFinite(this.#high)) {
      return (this.#low + this.#high) / 2;
    }
    if (Number.isFinite(this.#low)) return this.#low;
    return this.#wall() - this.#local();
  }

  #narrow(low, high) {
    const narrowedLow = Math.max(this.#low, low);
    const narrowedHigh = Math.min(this.#high, high);
    // Intervals that exclude each other mean that the monotonic clock stood still (the
    // device slept) or drifted; only the newest observation is then worth anything.
    const agrees = narrowedLow <= narrowedHigh;
    this.#low = agrees ? narrowedLow : low;
    this.#high = agrees ? narrowedHigh : high;
  }
}

/** The one clock of a page. */
export const clock = new ServerClock();
