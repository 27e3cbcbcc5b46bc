// Bundles the console into the folder named by the first argument: hashed names, compressed copies, licences.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync, mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] ?? join(here, "..", "static");

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

const options = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  outdir: target,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none", // all licences are in licences.txt
  metafile: true,
  logLevel: "warning",
};
const app = await esbuild.build({
  ...options,
  entryPoints: ["src/main.tsx", "src/styles/main.css"],
  splitting: true,
});
// Runs before the first paint, so that the page does not flash in the other theme.
const theme = await esbuild.build({ ...options, format: "iife", entryPoints: ["src/theme_start.ts"] });

const built = new Map();
for (const { outputs } of [app.metafile, theme.metafile]) {
  for (const [path, output] of Object.entries(outputs)) {
    if (output.entryPoint) built.set(output.entryPoint, basename(path));
  }
}
const icon = readFileSync(join(here, "src", "icon.svg"));
const iconName = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8)}.svg`;
writeFileSync(join(target, iconName), icon);

const names = {
  STYLE: built.get("src/styles/main.css"),
  THEME: built.get("src/theme_start.ts"),
  MAIN: built.get("src/main.tsx"),
  ICON: iconName,
};
const page = readFileSync(join(here, "src", "index.html"), "utf8").replace(/\$\{(\w+)\}/g, (_, name) => names[name]);
const packages = bundledPackages();
writeFileSync(join(target, "licences.txt"), packages.map(describe).join(`\n${"-".repeat(80)}\n\n`));

for (const name of readdirSync(target)) compress(name, readFileSync(join(target, name)));
compress("index.html", Buffer.from(page));
writeFileSync(join(target, "packages.json"), JSON.stringify(packages.map(identify), null, 1)); // not served; for sbom.py
writeFileSync(join(target, "index.html"), page); // last: without it the console counts as not built

function compress(name, body) {
  writeFileSync(join(target, `${name}.gz`), gzipSync(body, { level: 9 }));
  const parameters = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: body.length };
  writeFileSync(join(target, `${name}.br`), brotliCompressSync(body, { params: parameters }));
}

// The names of the packages whose code is in the bundle.
function bundledPackages() {
  const found = new Set();
  for (const input of Object.keys(app.metafile.inputs)) {
    const match = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) found.add(match[1]);
  }
  return [...found].sort();
}

function manifest(name) {
  return JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
}

function describe(name) {
  const folder = join(here, "node_modules", name);
  const { version, license } = manifest(name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (!file) throw new Error(`the package ${name} has no file with its licence`);
  return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8")}`;
}

function identify(name) {
  const { version, license } = manifest(name);
  const lock = JSON.parse(readFileSync(join(here, "package-lock.json"), "utf8"));
  return { name, version, license, integrity: lock.packages[`node_modules/${name}`].integrity };
}
