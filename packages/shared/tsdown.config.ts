import { packageBuild } from "../../tsdown.base.ts";

export default packageBuild({
  entry: ["src/index.ts", "src/memory/index.ts", "src/store/verbs.ts"],
  copy: [{ from: "src/**/*.sql", to: "dist", flatten: false }],
});
