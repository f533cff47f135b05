/**
 * Sets up @tensorflow/tfjs-node, the tfjs backend `tensorflow`, where its own installer cannot fetch the library that it
 * needs: TensorFlow's C library comes from the Python package tensorflow-cpu, and the addon is compiled here.
 *
 *     node bench/peers/tfjs-node.mjs [FOLDER]     builds it in FOLDER (by default below the system's temporary
 *                                                 folder), and links it into this repository's node_modules
 *     node bench/peers/tfjs-node.mjs --unlink     takes the link away
 *
 * Needs Linux on x64, npm and pip with their registries in reach, g++, make, 1 GB of disk, and Node's headers: those
 * beside node, or what node-gyp fetches. `npm install` in this repository takes the link away too.
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ADDON = '@tensorflow/tfjs-node@4.22.0';
/** The addon was written for the C library 2.9.1; this is the first tensorflow-cpu that has it as a library of its own. */
const LIBRARY = 'tensorflow-cpu==2.12.1';
/** The library does not depend on Python: any wheel of it for Linux on x64 will do, whatever Python is here. */
const WHEEL = ['--python-version', '3.10', '--platform', 'manylinux2014_x86_64', '--only-binary', ':all:'];

const repository = fileURLToPath(new URL('../..', import.meta.url));
const link = join(repository, 'node_modules/@tensorflow/tfjs-node');

/** Why it cannot be set up here, and what to do about it. */
class Skipped extends Error {}

/** Runs a command; when it fails, the end of what it printed says why. */
function run(command, given, { cwd, env, hint }) {
  try {
    return execFileSync(command, given, {
      cwd,
      env: { ...process.env, ...env },
      stdio: 'pipe',
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
  } catch (error) {
    const said = `${error.stdout ?? ''}${error.stderr ?? error.message}`.trim();
    throw new Skipped(
      `${hint}; this failed: ${command} ${given.join(' ')}\n${said.split('\n').slice(-12).join('\n')}`,
      {
        cause: error,
      },
    );
  }
}

/** Fails early and in words where a tool is missing. */
function checkTools() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Skipped(
      `this is ${process.platform} on ${process.arch}, and the library is for Linux on x64; try npm install ${ADDON}`,
    );
  }
  if (!existsSync(join(repository, 'node_modules/@tensorflow/tfjs-core'))) {
    throw new Skipped('node_modules lacks @tensorflow/tfjs-core; run npm install first');
  }
  run('npm', ['--version'], { hint: 'npm is needed' });
  run('python3', ['-m', 'pip', '--version'], { hint: 'python3 with pip is needed' });
  for (const tool of ['make', 'g++']) run(tool, ['--version'], { hint: `${tool} is needed` });
}

/** The package and what it depends on, without its install script: that would fetch the library. */
function installPackage(folder) {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ADDON], {
    cwd: folder,
    hint: 'npm must reach its registry',
  });
}

/** One tfjs-core for the backend and for us: a link resolves to the very module that this repository imports. */
function shareCore(folder) {
  for (const name of ['tfjs-core', 'tfjs-backend-cpu']) {
    const [own, ours] = [folder, repository].map((root) => join(root, 'node_modules/@tensorflow', name));
    rmSync(own, { recursive: true, force: true });
    symlinkSync(realpathSync(ours), own);
  }
}

const unpack = `
import glob, os, shutil, sys, zipfile
wheel, target = glob.glob(sys.argv[1] + '/*.whl')[0], sys.argv[2]
libraries = {'tensorflow/libtensorflow_cc.so.2', 'tensorflow/libtensorflow_framework.so.2'}
with zipfile.ZipFile(wheel) as archive:
    for name in archive.namelist():
        if name in libraries:
            path = os.path.join(target, 'lib', os.path.basename(name))
        elif name.startswith('tensorflow/include/tensorflow/') and name.endswith('.h'):
            path = os.path.join(target, os.path.relpath(name, 'tensorflow'))
        else:
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(name) as source, open(path, 'wb') as file:
            shutil.copyfileobj(source, file)
`;

/** TensorFlow's C library and its headers, under the names that the addon's build looks for. */
function fetchLibrary(folder, dependencies) {
  const wheels = join(folder, 'wheel');
  const download = ['-m', 'pip', 'download', LIBRARY, '--no-deps', ...WHEEL, '--dest', wheels];
  run('python3', download, { cwd: folder, hint: 'pip must reach its registry' });
  rmSync(dependencies, { recursive: true, force: true });
  run('python3', ['-c', unpack, wheels, dependencies], { cwd: folder, hint: 'the wheel must unpack' });
  rmSync(wheels, { recursive: true });
  const libraries = join(dependencies, 'lib');
  symlinkSync('libtensorflow_cc.so.2', join(libraries, 'libtensorflow.so'));
  symlinkSync('libtensorflow_framework.so.2', join(libraries, 'libtensorflow_framework.so'));
}

/** Compiles the addon with the node-gyp that npm brings, against the headers beside node where there are any. */
function compile(addon) {
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? { npm_config_nodedir: prefix } : {};
  run('npm', ['run', 'build-addon-from-source'], {
    cwd: addon,
    env: headers,
    hint: 'the addon must compile, which takes a C++ compiler and Node headers',
  });
}

const isLink = (path) => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

function setUp(folder) {
  const addon = join(folder, 'node_modules/@tensorflow/tfjs-node');
  const compiled = join(addon, 'lib');
  if (!existsSync(compiled) || readdirSync(compiled).length === 0) {
    checkTools();
    mkdirSync(folder, { recursive: true });
    installPackage(folder);
    fetchLibrary(folder, join(addon, 'deps'));
    compile(addon);
  }
  shareCore(folder);
  const check =
    'const tf = require(process.argv[1]); console.log(tf.matMul([[2]], [[3]]).dataSync()[0], tf.getBackend())';
  const answer = run(process.execPath, ['-e', check, addon], {
    cwd: folder,
    hint: 'the backend must compute',
  });
  if (answer.trim() !== '6 tensorflow') throw new Skipped(`2 · 3 on the backend gave '${answer.trim()}'`);
  if (isLink(link)) rmSync(link);
  symlinkSync(addon, link);
  console.log(
    `The tfjs backend 'tensorflow' is in ${folder}, linked from node_modules; --unlink takes the link away.`,
  );
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { unlink: { type: 'boolean', default: false } },
});
try {
  if (values.unlink) {
    if (isLink(link)) rmSync(link);
  } else if (existsSync(link) && !isLink(link)) {
    console.log('@tensorflow/tfjs-node is installed already.');
  } else {
    setUp(resolve(positionals[0] ?? join(tmpdir(), 'bitspike-tfjs-node')));
  }
} catch (error) {
  if (!(error instanceof Skipped)) throw error;
  console.error(`skipped @tensorflow/tfjs-node: ${error.message}`);
  process.exitCode = 1;
}
