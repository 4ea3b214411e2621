/** Tables in memory: rows in groups, an index that keeps them sorted, and a journal by which changes are undone. */

/** How to undo what was changed, the last change last. */
export type Journal = (() => void)[];

/** Where a row stands: the rows of a group are found together, and `id` tells them apart. */
export interface Key<Row> {
  readonly group: (row: Row) => string;
  readonly id: (row: Row) => string | number;
}

/** Keeps rows in buckets, each sorted by a number, then by key. A row whose bucket is `null` is left out. */
export interface Order<Row> {
  readonly bucket: (row: Row) => string | null;
  readonly place: (row: Row) => number;
}

const nothing: readonly never[] = [];

/** A table. Rows are never changed, only replaced, so whoever has read one keeps what it was. */
export class Table<Row extends object> {
  readonly #groups = new Map<string, Map<string | number, Row>>();
  readonly #buckets = new Map<string, Row[]>();

  constructor(
    readonly name: string,
    readonly key: Key<Row>,
    private readonly journal: Journal,
    private readonly order?: Order<Row>,
  ) {}

  get(group: string, id: string | number): Row | undefined {
    return this.#groups.get(group)?.get(id);
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** The rows of a group, in no order. */
  of(group: string): Row[] {
    const rows = this.#groups.get(group);
    return rows === undefined ? [] : [...rows.values()];
  }

  /** All rows, in no order. */
  all(): Row[] {
    return [...this.#groups.values()].flatMap((rows) => [...rows.values()]);
  }

  /** The rows of a bucket as they are sorted now. A change of the table changes the list. */
  bucket(name: string): readonly Row[] {
    return this.#buckets.get(name) ?? nothing;
  }

  /** The names of the buckets that have rows. */
  buckets(): string[] {
    return [...this.#buckets.keys()];
  }

  /** Inserts a row. Throws as PostgreSQL does when its key is taken. */
  insert(row: Row): Row {
    const { group, id } = this.key;
    if (this.get(group(row), id(row)) === undefined) return this.put(row);
    throw refusal("23505", `${this.name} has a row with the key ${group(row)}, ${id(row)}`);
  }

  /** Writes a row, in place of the one with its key if there is one. */
  put(row: Row): Row {
    const before = this.#put(row);
    this.journal.push(() => {
      if (before === undefined) this.#take(row);
      else this.#put(before);
    });
    return row;
  }

  /** Removes a row, if it is there. */
  delete(group: string, id: string | number): void {
    const row = this.get(group, id);
    if (row === undefined) return;
    this.#take(row);
    this.journal.push(() => this.#put(row));
  }

  #put(row: Row): Row | undefined {
    const group = this.key.group(row);
    const rows = this.#groups.get(group) ?? new Map<string | number, Row>();
    if (rows.size === 0) this.#groups.set(group, rows);
    const id = this.key.id(row);
    const before = rows.get(id);
    if (before !== undefined) this.#unsort(before);
    rows.set(id, row);
    this.#sort(row);
    return before;
  }

  #take(row: Row): void {
    const group = this.key.group(row);
    const rows = this.#groups.get(group);
    rows?.delete(this.key.id(row));
    if (rows?.size === 0) this.#groups.delete(group);
    this.#unsort(row);
  }

  #sort(row: Row): void {
    const name = this.order?.bucket(row) ?? null;
    if (name === null) return;
    const rows = this.#buckets.get(name);
    if (rows === undefined) this.#buckets.set(name, [row]);
    else rows.splice(this.#position(rows, row), 0, row);
  }

  #unsort(row: Row): void {
    const name = this.order?.bucket(row) ?? null;
    const rows = name === null ? undefined : this.#buckets.get(name);
    if (name === null || rows === undefined) return;
    if (rows.length === 1) this.#buckets.delete(name);
    else rows.splice(this.#position(rows, row), 1);
  }

  /** Where a row stands among sorted rows, or would. */
  #position(rows: readonly Row[], row: Row): number {
    let low = 0;
    let high = rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(rows[middle] as Row, row) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: Row, b: Row): number {
    const { group, id } = this.key;
    const places = this.order === undefined ? 0 : this.order.place(a) - this.order.place(b);
    return places || compare(group(a), group(b)) || compare(id(a), id(b));
  }
}

/** Compares as the collation "C" does. */
export const compare = <T extends string | number>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

/** An error with the code that PostgreSQL would give, for those who tell what may pass from what stays. */
export const refusal = (code: string, message: string): Error => Object.assign(new Error(message), { code });
