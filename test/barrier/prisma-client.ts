/**
 * A Prisma client without models. `prisma generate` would write this file from a schema, and needs binaries that are
 * downloaded when Prisma is installed; what it writes is a call of the same runtime, so transactions and raw SQL are the
 * real ones.
 */
import { PrismaPg } from "@prisma/adapter-pg";
import { getPrismaClient } from "@prisma/client/runtime/client";

/** What is used of the client. */
export interface PrismaClient {
  $transaction<T>(use: (tx: PrismaRaw) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

/** What is used of a transaction, or of the client outside of one. */
export interface PrismaRaw {
  $queryRawUnsafe<T = unknown>(text: string, ...values: unknown[]): Promise<T>;
  $executeRaw(text: TemplateStringsArray, ...values: unknown[]): Promise<number>;
}

/** The two files behind this are not typed. */
const compiler = "@prisma/client/runtime/query_compiler_fast_bg.postgresql";

// Node has it; its types know only the name.
const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };
};

const Client = getPrismaClient({
  previewFeatures: [],
  clientVersion: "7.10.0",
  engineVersion: "none",
  activeProvider: "postgresql",
  inlineSchema: 'datasource db {\n  provider = "postgresql"\n}\n',
  runtimeDataModel: { models: {}, enums: {}, types: {} },
  // An empty one: there are no models whose parameters it could name.
  parameterizationSchema: { strings: [], graph: Buffer.alloc(64).toString("base64") },
  compilerWasm: {
    getRuntime: () => import(`${compiler}.mjs`),
    getQueryCompilerWasmModule: async () => {
      const { wasm } = (await import(`${compiler}.wasm-base64.mjs`)) as { readonly wasm: string };
      return new WebAssembly.Module(Buffer.from(wasm, "base64"));
    },
    importName: "./query_compiler_fast_bg.js",
  },
});

/** Opens a client of a database. */
export const openPrisma = (connectionString: string): PrismaClient & PrismaRaw =>
  new Client({ adapter: new PrismaPg({ connectionString }) }) as unknown as PrismaClient & PrismaRaw;
