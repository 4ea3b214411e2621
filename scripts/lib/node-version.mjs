// Imported before anything else by each script, for its effect: says what is wrong where an old Node would fail with a
// syntax error somewhere else. Keep the syntax of this file plain.

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `Floxy needs Node 20.19 or newer; this is Node ${process.versions.node} (${process.execPath}).\n` +
      "Install a current Node from https://nodejs.org and run the command again.\n",
  );
  process.exit(1);
}
