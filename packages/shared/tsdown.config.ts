import { packageBuild } from "../../tsdown.base.ts";

export default packageBuild({ copy: [{ from: "src/**/*.sql", to: "dist", flatten: false }] });
