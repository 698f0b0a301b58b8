// Collects what a program would print beside its own words, and tells the outcome as one JSON object.

const warned = [];
for (const level of ['warn', 'error', 'debug']) {
  console[level] = (...texts) => warned.push(`${level}: ${texts.join(' ')}`);
}
process.on('warning', (warning) => warned.push(`${warning.name}: ${warning.message}`));

export function tell(outcome) {
  process.stdout.write(`${JSON.stringify({ ...outcome, warned })}\n`);
}
