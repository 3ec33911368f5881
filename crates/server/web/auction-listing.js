// Which auctions a list shows, page by page, of one status or of several. What always holds: an
// auction that was shown stays, also when its status has become another one meanwhile, so that
// nothing vanishes under a finger; and what several statuses gave is one list, newest first,
// without a gap. Asks through the function it is given, and draws nothing.

/** How many of those that left their page are asked for one by one, each time. */
const STRAYS_MAX = 10;

export class Listing {
  #fetchPage;
  #fetchOne;
  /** Per status its pages, oldest last: `{after, ids, next}`. */
  #pages;
  #known = new Map();

  /** `fetchPage(status, after)` gives `{auctions, next}`, `fetchOne(id)` an auction. */
  constructor(statuses, { fetchPage, fetchOne }) {
    this.#fetchPage = fetchPage;
    this.#fetchOne = fetchOne;
    this.#pages = new Map(statuses.map((status) => [status, [{ ids: [] }]]));
  }

  /** Newest first; where one status has more pages, no older ones of another are shown yet. */
  get auctions() {
    const edge = this.#edge();
    const shown = [...this.#known.values()].filter(({ id }) => id >= edge);
    return shown.sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  get hasMore() {
    return this.#edge() !== "";
  }

  /** The newest id at which some status has a next page. Ids begin with a sequence. */
  #edge() {
    let edge = "";
    for (const pages of this.#pages.values()) {
      const last = pages.at(-1);
      if (last.next && last.ids.length > 0 && last.ids.at(-1) > edge) edge = last.ids.at(-1);
    }
    return edge;
  }

  /** First pages, pages of which something is in view, and what left them. */
  async refresh(inView) {
    const wanted = [];
    for (const [status, pages] of this.#pages) {
      for (const [n, page] of pages.entries()) {
        if (n === 0 || page.ids.some((id) => inView.has(id))) wanted.push(this.#fetch(status, page));
      }
    }
    await Promise.all(wanted);
    const listed = new Set([...this.#pages.values()].flat().flatMap((page) => page.ids));
    const strays = [...this.#known.keys()].filter((id) => inView.has(id) && !listed.has(id));
    await Promise.all(strays.slice(0, STRAYS_MAX).map(async (id) => this.#known.set(id, await this.#fetchOne(id))));
  }

  /** One more page of each status that holds the list back. */
  async more() {
    const edge = this.#edge();
    await Promise.all(
      [...this.#pages].map(async ([status, pages]) => {
        const last = pages.at(-1);
        if (!last.next || last.ids.at(-1) < edge) return;
        const page = { after: last.next, ids: [] };
        await this.#fetch(status, page);
        pages.push(page);
      }),
    );
  }

  async #fetch(status, page) {
    const { auctions, next } = await this.#fetchPage(status, page.after);
    page.ids = auctions.map((auction) => auction.id);
    page.next = next ?? undefined;
    for (const auction of auctions) this.#known.set(auction.id, auction);
  }
}
