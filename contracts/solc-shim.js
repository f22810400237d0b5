#!/usr/bin/env node
// The part of solc's command line that forge uses, in front of the npm package "solc".
const fs = require('fs');
const path = require('path');

const folder = process.env.SOLC_JS_DIR || path.join(__dirname, 'node_modules', 'solc');
const [flag] = process.argv.slice(2);
// loading the compiler takes a second, and forge asks for its version twice
const cache = path.join(folder, '.version');

function compiler() {
    return require(path.join(folder, 'wrapper'))(require(path.join(folder, 'soljson.js')));
}

function version() {
    if (!fs.existsSync(cache)) {
        fs.writeFileSync(cache, compiler().version());
    }
    return fs.readFileSync(cache, 'utf8');
}

function writeAll(text) {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) {
        try {
            written += fs.writeSync(1, bytes, written);
        } catch (error) {
            // the pipe is full
            if (error.code !== 'EAGAIN') throw error;
        }
    }
}

if (flag === '--version') {
    writeAll(`solc, the solidity compiler commandline interface\nVersion: ${version()}\n`);
} else if (process.argv.includes('--standard-json')) {
    writeAll(compiler().compile(fs.readFileSync(0, 'utf8')));
} else {
    process.stderr.write(`solc-shim: unsupported: ${process.argv.slice(2).join(' ')}\n`);
    process.exit(1);
}
