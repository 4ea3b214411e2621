import { packageBuild } from "../../tsdown.base.ts";

export default packageBuild({ copy: [{ from: "src/store/migrations/*.sql", to: "dist/store/migrations" }] });
