#!/usr/bin/env node
// A file of its own, because package managers link a bin when they install, which is before anything is built. It names
// the package rather than dist/, so that it runs from source under --conditions=@floxy/source.
import "@floxy/orchestrator/main";
