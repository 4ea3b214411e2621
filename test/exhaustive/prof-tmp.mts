const { checkAll } = await import("/work/main/test/exhaustive/check-all.ts");
process.env.FLOXY_EXHAUSTIVE_NODES = "3";
const t = performance.now();
const r = await checkAll(0, 2);
console.log(r.definitions, r.cases, r.failure?.slice(0, 500), Math.round(performance.now() - t), "ms");
