import { packageBuild } from "../../tsdown.base.ts";

export default packageBuild({ copy: [{ from: "src/keeper.mjs", to: "dist" }] });
