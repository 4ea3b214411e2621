import { packageBuild } from "../../tsdown.base.ts";

export default packageBuild({ copy: [{ from: "src/**/*.mjs", to: "dist", flatten: false }] });
