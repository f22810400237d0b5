#!/usr/bin/env node
// Writes what is committed of forge's output: ABI and bytecode of each contract, in `artifacts`.
const fs = require('fs');
const path = require('path');

const CONTRACTS = {
    'CertVerifier.sol': ['CertVerifierV3', 'CertVerifierV3Rounding', 'CertVerifierV4'],
    'CertVerifierRouter.sol': ['CertVerifierRouter'],
    'Directories.sol': ['DisperserRegistry', 'EigenDADirectory', 'RelayRegistry'],
    'OperatorStateRetriever.sol': ['OperatorStateRetriever'],
    'PaymentVault.sol': ['PaymentVault'],
    'Registries.sol': ['BlsApkRegistry', 'DelegationManager', 'IndexRegistry', 'SocketRegistry', 'StakeRegistry'],
    'RegistryCoordinator.sol': ['RegistryCoordinator'],
    'ServiceManager.sol': ['ServiceManager'],
    'ThresholdRegistry.sol': ['ThresholdRegistry'],
};

const [out = 'out', artifacts = 'artifacts'] = process.argv.slice(2);
fs.mkdirSync(artifacts, { recursive: true });
for (const [file, names] of Object.entries(CONTRACTS)) {
    for (const name of names) {
        const built = JSON.parse(fs.readFileSync(path.join(out, file, `${name}.json`), 'utf8'));
        const abi = built.abi.map((item) => `    ${JSON.stringify(item)}`).join(',\n');
        const text = `{\n  "abi": [\n${abi}\n  ],\n  "bytecode": "${built.bytecode.object}"\n}\n`;
        fs.writeFileSync(path.join(artifacts, `${name}.json`), text);
    }
}
